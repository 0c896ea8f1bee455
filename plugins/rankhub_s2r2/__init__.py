"""Official plugin: losses that maximise average precision over views (S2R2)."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "loss",
            "smooth_ap",
            "rankhub_s2r2.smooth_ap:SmoothAP",
            "Maximise a smooth average precision: each view finds the other views of its image.",
        ),
    ]
