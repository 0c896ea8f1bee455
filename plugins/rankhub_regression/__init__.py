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
            "evaluator",
            "quality",
            "rankhub_regression.quality.evaluator:Quality",
            "Correlation and error of predicted scores, overall, by kind and by reference.",
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
            "dataset",
            "scored_csv",
            "rankhub_regression.scored.scored_csv:ScoredCsv",
            "Images of one's own and a table of their scores.",
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
    ]
