"""Official plugin: losses that maximize average precision over views (S2R2)."""

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
            "Maximize a smooth average precision: each view finds the other views of its image.",
        ),
        Component(
            "loss",
            "ramp_ap",
            "rankhub_s2r2.ramp_ap:RampAP",
            "Average precision with a piecewise-linear step, by sorting: the fastest in large groups.",
        ),
        Component(
            "loss",
            "sup_ap",
            "rankhub_s2r2.sup_ap:SupAP",
            "ROADMAP: an upper bound of the loss of average precision, with calibration across batches.",
        ),
        Component(
            "loss",
            "pnp",
            "rankhub_s2r2.pnp:PNP",
            "Penalize the negatives before each positive, in five variants.",
        ),
        Component(
            "loss",
            "fast_ap",
            "rankhub_s2r2.histogram_ap:FastAP",
            "Average precision from a histogram of distances.",
        ),
        Component(
            "loss",
            "histogram_ap",
            "rankhub_s2r2.histogram_ap:HistogramAP",
            "List-wise average precision from a histogram of cosines, over any range.",
        ),
        Component(
            "loss",
            "blackbox_ap",
            "rankhub_s2r2.blackbox_ap:BlackboxAP",
            "The true average precision, with a gradient from interpolated ranks (RaMBO).",
        ),
        Component(
            "loss",
            "graded_ap",
            "rankhub_s2r2.graded_ap:GradedAP",
            "Smooth average precision with the levels of the views as graded relevance.",
        ),
    ]
