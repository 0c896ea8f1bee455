"""Official plugin: image quality from few scores and many distorted versions (Liu, van de Weijer, Bagdanov, 2017)."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component("head", "score", "rankhub_quality.score:Score", "Pooled features to one number."),
        Component(
            "evaluator",
            "quality",
            "rankhub_quality.evaluation.evaluator:Quality",
            "Correlation and error of predicted scores, overall, by kind and by reference.",
        ),
        Component(
            "generator",
            "distortions",
            "rankhub_quality.distortions:Distortions",
            "Ranked sets of distorted images: a group a kind of distortion, level falling with its degree.",
        ),
        Component(
            "dataset",
            "scored_csv",
            "rankhub_quality.data.scored_csv:ScoredCsv",
            "Images of one's own and a table of their scores.",
            role="scores",
        ),
        Component("dataset", "live", "rankhub_quality.data.live:Live", "LIVE, release 2: 779 distorted images, DMOS."),
        Component(
            "dataset",
            "tid2013",
            "rankhub_quality.data.tid:Tid2013",
            "TID2013: 3,000 distorted images of 24 kinds, MOS.",
        ),
        Component(
            "dataset",
            "tid2008",
            "rankhub_quality.data.tid:Tid2008",
            "TID2008: 1,700 distorted images of 17 kinds, MOS.",
        ),
        Component("dataset", "csiq", "rankhub_quality.data.csiq:Csiq", "CSIQ: 866 distorted images of 6 kinds, DMOS."),
        Component(
            "dataset",
            "kadid10k",
            "rankhub_quality.data.kadid:Kadid10k",
            "KADID-10k: 10,125 distorted images of 25 kinds.",
        ),
        Component(
            "dataset",
            "koniq10k",
            "rankhub_quality.data.koniq:Koniq10k",
            "KonIQ-10k: 10,073 photos with real distortions, MOS.",
        ),
        Component(
            "dataset",
            "live_challenge",
            "rankhub_quality.data.live_challenge:LiveChallenge",
            "LIVE In the Wild: 1,162 photos from mobile cameras, MOS.",
        ),
        Component(
            "dataset",
            "mlive",
            "rankhub_quality.data.mlive:Mlive",
            "LIVE Multiply Distorted: 450 images of two distortions each, DMOS.",
        ),
        Component("dataset", "spaq", "rankhub_quality.data.spaq:Spaq", "SPAQ: 11,125 photos from smartphones, MOS."),
        Component(
            "dataset",
            "distorted_photos",
            "rankhub_quality.data.distorted_photos:DistortedPhotos",
            "Distorted pieces of scikit-image's colour photos, scored by SSIM against the pristine piece.",
        ),
    ]
