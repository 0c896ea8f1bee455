"""Official plugin: image quality from few scores and many distorted versions (Liu, van de Weijer, Bagdanov, 2017)."""

import rankhub
from rankhub import Component

_DATASETS = [
    ("live", "live:Live", "LIVE, release 2: 779 distorted images, DMOS."),
    ("tid2013", "tid:Tid2013", "TID2013: 3,000 distorted images of 24 kinds, MOS."),
    ("tid2008", "tid:Tid2008", "TID2008: 1,700 distorted images of 17 kinds, MOS."),
    ("csiq", "csiq:Csiq", "CSIQ: 866 distorted images of 6 kinds, DMOS."),
    ("kadid10k", "kadid:Kadid10k", "KADID-10k: 10,125 distorted images of 25 kinds."),
    ("koniq10k", "koniq:Koniq10k", "KonIQ-10k: 10,073 photos with real distortions, MOS."),
    ("live_challenge", "live_challenge:LiveChallenge", "LIVE In the Wild: 1,162 photos from mobile cameras, MOS."),
    ("mlive", "mlive:Mlive", "LIVE Multiply Distorted: 450 images of two distortions each, DMOS."),
    ("spaq", "spaq:Spaq", "SPAQ: 11,125 photos from smartphones, MOS."),
    (
        "distorted_photos",
        "distorted_photos:DistortedPhotos",
        "Distorted pieces of scikit-image's colour photos, scored by SSIM against the pristine piece.",
    ),
]
"""Name, class in ``rankhub_quality.data``, and what it holds."""


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
        *(Component("dataset", name, f"rankhub_quality.data.{target}", summary) for name, target, summary in _DATASETS),
    ]
