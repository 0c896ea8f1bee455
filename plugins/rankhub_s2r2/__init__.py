"""Official plugin: losses that maximize average precision over views (S2R2)."""

import rankhub
from rankhub import Component

_LOSSES = [
    (
        "smooth_ap",
        "smooth_ap:SmoothAP",
        "Maximize a smooth average precision: each view finds the other views of its image.",
    ),
    (
        "ramp_ap",
        "ramp_ap:RampAP",
        "Average precision with a piecewise-linear step, by sorting: the fastest in large groups.",
    ),
    (
        "sup_ap",
        "sup_ap:SupAP",
        "ROADMAP: an upper bound of the loss of average precision, with calibration across batches.",
    ),
    ("pnp", "pnp:PNP", "Penalize the negatives before each positive, in five variants."),
    ("fast_ap", "histogram_ap:FastAP", "Average precision from a histogram of distances."),
    (
        "histogram_ap",
        "histogram_ap:HistogramAP",
        "List-wise average precision from a histogram of cosines, over any range.",
    ),
    (
        "blackbox_ap",
        "blackbox_ap:BlackboxAP",
        "The true average precision, with a gradient from interpolated ranks (RaMBO).",
    ),
    ("graded_ap", "graded_ap:GradedAP", "Smooth average precision with the levels of the views as graded relevance."),
]
"""Name, class in this package, and what it does."""


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        *(Component("loss", name, f"rankhub_s2r2.{target}", summary) for name, target, summary in _LOSSES),
    ]
