"""Official plugin: regression from few labels and many ranked views (Liu, van de Weijer, Bagdanov, 2019)."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "loss",
            "margin_ranking",
            "rankhub_regression.margin_ranking:MarginRanking",
            "All comparable pairs of ranked views from one pass: the better one by a margin.",
        ),
        Component("loss", "mse", "rankhub_regression.regression:MSE", "Squared error of a score to its label."),
        Component("loss", "l1", "rankhub_regression.regression:L1", "Absolute error of a score to its label."),
        Component(
            "loss",
            "huber",
            "rankhub_regression.regression:Huber",
            "Squared error of a score where it is small, absolute where it is large.",
        ),
        Component("head", "score", "rankhub_regression.score:Score", "Pooled features to one number."),
        Component(
            "head",
            "density",
            "rankhub_regression.counting.density:Density",
            "Feature maps to a map of density, its sum and its mean.",
        ),
        Component(
            "loss",
            "density_mse",
            "rankhub_regression.counting.density_loss:DensityMSE",
            "Squared error of a map of density to one drawn from the points of its view.",
        ),
        Component(
            "evaluator",
            "quality",
            "rankhub_regression.quality.evaluator:Quality",
            "Correlation and error of predicted scores, overall, by kind and by reference.",
        ),
        Component(
            "evaluator",
            "counting",
            "rankhub_regression.counting.evaluator:Counting",
            "Errors of predicted counts on whole images: MAE, RMSE, relative error and GAME.",
        ),
        Component(
            "evaluator",
            "ranking_accuracy",
            "rankhub_regression.quality.ranking_accuracy:RankingAccuracy",
            "Share of held-out ranked pairs in the right order, overall, by kind and by level.",
        ),
        Component(
            "generator",
            "distortions",
            "rankhub_regression.distortions:Distortions",
            "Ranked sets of distorted images: a group a kind of distortion, level falling with its degree.",
        ),
        Component(
            "generator",
            "random_crops",
            "rankhub_regression.random_crops:RandomCrops",
            "Random square crops in original pixels, each view's independent of the others'.",
        ),
        Component(
            "generator",
            "nested_crops",
            "rankhub_regression.counting.nested_crops:NestedCrops",
            "Squares inside one another, brought to one size: the smaller the square, the lower the level.",
        ),
        Component(
            "generator",
            "scaled_crops",
            "rankhub_regression.counting.scaled_crops:ScaledCrops",
            "Random squares of random size, brought to one size.",
        ),
        Component(
            "dataset",
            "scored_csv",
            "rankhub_regression.scored.scored_csv:ScoredCsv",
            "Images of one's own and a table of their scores.",
            role="scores",
        ),
        Component(
            "dataset", "live", "rankhub_regression.scored.live:Live", "LIVE, release 2: 779 distorted images, DMOS."
        ),
        Component(
            "dataset",
            "tid2013",
            "rankhub_regression.scored.tid:Tid2013",
            "TID2013: 3,000 distorted images of 24 kinds, MOS.",
        ),
        Component(
            "dataset",
            "tid2008",
            "rankhub_regression.scored.tid:Tid2008",
            "TID2008: 1,700 distorted images of 17 kinds, MOS.",
        ),
        Component(
            "dataset", "csiq", "rankhub_regression.scored.csiq:Csiq", "CSIQ: 866 distorted images of 6 kinds, DMOS."
        ),
        Component(
            "dataset",
            "kadid10k",
            "rankhub_regression.scored.kadid:Kadid10k",
            "KADID-10k: 10,125 distorted images of 25 kinds.",
        ),
        Component(
            "dataset",
            "koniq10k",
            "rankhub_regression.scored.koniq:Koniq10k",
            "KonIQ-10k: 10,073 photos with real distortions, MOS.",
        ),
        Component(
            "dataset",
            "live_challenge",
            "rankhub_regression.scored.live_challenge:LiveChallenge",
            "LIVE In the Wild: 1,162 photos from mobile cameras, MOS.",
        ),
        Component(
            "dataset",
            "mlive",
            "rankhub_regression.scored.mlive:Mlive",
            "LIVE Multiply Distorted: 450 images of two distortions each, DMOS.",
        ),
        Component(
            "dataset", "spaq", "rankhub_regression.scored.spaq:Spaq", "SPAQ: 11,125 photos from smartphones, MOS."
        ),
        Component(
            "dataset",
            "points",
            "rankhub_regression.counting.data.points:PointsFile",
            "Images of one's own and a CSV or JSON file of points.",
            role="points",
        ),
        Component(
            "dataset",
            "dot_images",
            "rankhub_regression.counting.data.dot_images:DotImages",
            "Images of one's own, each with an image of dots beside it.",
        ),
        Component(
            "dataset",
            "shanghaitech",
            "rankhub_regression.counting.data.shanghaitech:ShanghaiTech",
            "ShanghaiTech, subset A (482 photos of crowds) or B (716 photos of streets).",
        ),
        Component(
            "dataset",
            "ucf_cc_50",
            "rankhub_regression.counting.data.ucf:UcfCc50",
            "UCF_CC_50: 50 photos of dense crowds, five folds.",
        ),
        Component(
            "dataset",
            "ucf_qnrf",
            "rankhub_regression.counting.data.ucf:UcfQnrf",
            "UCF-QNRF: 1,535 large photos of crowds.",
        ),
        Component(
            "dataset",
            "jhu_crowd",
            "rankhub_regression.counting.data.jhu:JhuCrowd",
            "JHU-CROWD++: 4,372 photos of crowds, some of nobody.",
        ),
        Component(
            "dataset",
            "nwpu_crowd",
            "rankhub_regression.counting.data.nwpu:NwpuCrowd",
            "NWPU-Crowd: 3,609 labeled photos of crowds, some of nobody.",
        ),
        Component(
            "dataset",
            "skimage_photos",
            "rankhub_regression.quickstart.photos:SkimagePhotos",
            "The colour photos inside the scikit-image wheel, pristine: nothing is downloaded.",
        ),
        Component(
            "dataset",
            "distorted_photos",
            "rankhub_regression.quickstart.distorted:DistortedPhotos",
            "Distorted pieces of scikit-image's colour photos, scored by SSIM against the pristine piece.",
        ),
        Component(
            "dataset",
            "drawn_scenes",
            "rankhub_regression.counting.scenes:DrawnScenes",
            "Drawn scenes of textured discs to count, in perspective: every point is known, nothing is downloaded.",
        ),
    ]
