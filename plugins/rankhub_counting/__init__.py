"""Official plugin: counting from few points and many nested crops (Liu, van de Weijer, Bagdanov, 2018)."""

import rankhub
from rankhub import Component

_DATASETS = [
    ("dot_images", "dot_images:DotImages", "Images of one's own, each with an image of dots beside it."),
    (
        "shanghaitech",
        "shanghaitech:ShanghaiTech",
        "ShanghaiTech, subset A (482 photos of crowds) or B (716 photos of streets).",
    ),
    ("ucf_cc_50", "ucf:UcfCc50", "UCF_CC_50: 50 photos of dense crowds, five folds."),
    ("ucf_qnrf", "ucf:UcfQnrf", "UCF-QNRF: 1,535 large photos of crowds."),
    ("jhu_crowd", "jhu:JhuCrowd", "JHU-CROWD++: 4,372 photos of crowds, some of nobody."),
    ("nwpu_crowd", "nwpu:NwpuCrowd", "NWPU-Crowd: 3,609 labeled photos of crowds, some of nobody."),
]
"""Name, class in ``rankhub_counting.data``, and what it holds."""


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "head",
            "density",
            "rankhub_counting.density:Density",
            "Feature maps to a map of density, its sum and its mean.",
        ),
        Component(
            "loss",
            "density_mse",
            "rankhub_counting.density_loss:DensityMSE",
            "Squared error of a map of density to one drawn from the points of its view.",
        ),
        Component(
            "loss",
            "zip_nll",
            "rankhub_counting.zip_loss:ZipNLL",
            "Zero-inflated Poisson likelihood of the number of points in each cell of a map.",
        ),
        Component(
            "loss",
            "bayesian_points",
            "rankhub_counting.bayesian_loss:BayesianPoints",
            "Error of the number of points that a map expects at each point, which is 1, by posterior probabilities.",
        ),
        Component(
            "evaluator",
            "counting",
            "rankhub_counting.evaluation.evaluator:Counting",
            "Errors of predicted counts on whole images: MAE, RMSE, relative error and GAME.",
        ),
        Component(
            "generator",
            "nested_crops",
            "rankhub_counting.nested_crops:NestedCrops",
            "Squares inside one another, brought to one size: the smaller the square, the lower the level.",
        ),
        Component(
            "generator",
            "scaled_crops",
            "rankhub_counting.scaled_crops:ScaledCrops",
            "Random squares of random size, brought to one size.",
        ),
        Component(
            "dataset",
            "points",
            "rankhub_counting.data.points:PointsFile",
            "Images of one's own and a CSV or JSON file of points.",
            role="points",
        ),
        Component(
            "dataset",
            "drawn_scenes",
            "rankhub_counting.drawing.scenes:DrawnScenes",
            "Drawn scenes of textured discs to count, in perspective: every point is known, nothing is downloaded.",
        ),
        *(
            Component("dataset", name, f"rankhub_counting.data.{target}", summary)
            for name, target, summary in _DATASETS
        ),
    ]
