"""Official plugin: how good a representation is, with labels (a linear probe) and without."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "evaluator",
            "linear_probe",
            "rankhub_probes.linear_probe:LinearProbe",
            "Accuracy of a linear classifier on frozen features, on all labels or over the data set's folds.",
        ),
        Component(
            "evaluator",
            "rankme",
            "rankhub_probes.rankme:RankMe",
            "Smooth rank of the features, without labels (Garrido et al. 2023).",
        ),
        Component(
            "evaluator",
            "lidar",
            "rankhub_probes.lidar:LiDAR",
            "Smooth rank of the differences between images against those between views (Thilak et al. 2023).",
        ),
        Component(
            "evaluator",
            "alpha_req",
            "rankhub_probes.alpha_req:AlphaReQ",
            "Power law by which the spectrum of the features decays, without labels (Agrawal et al. 2022).",
        ),
        Component(
            "evaluator",
            "alignment_uniformity",
            "rankhub_probes.alignment_uniformity:AlignmentUniformity",
            "How near the views of an image lie, and how evenly images spread (Wang and Isola 2020).",
        ),
    ]
