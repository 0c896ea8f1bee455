"""Official plugin: what ranking is compared with, self-supervised methods and, as a bound, class labels."""

import rankhub
from rankhub import Component

# Name, class in this package, and what it does.
_LOSSES = [
    ("nt_xent", "nt_xent:NTXent", "SimCLR: tell the other views of an image from all other views; two views or many."),
    ("moco", "moco:MoCo", "MoCo v2: tell a teacher's embedding of another view from a queue of earlier ones."),
    ("swav", "swav:SwAV", "SwAV: predict the balanced cluster assignment of another view; takes multi-crop views."),
    (
        "dino",
        "dino:DINO",
        "DINO: predict a teacher's centred and sharpened scores of another view; takes multi-crop views.",
    ),
    (
        "barlow_twins",
        "barlow_twins:BarlowTwins",
        "Barlow Twins: make the cross-correlation of two views' embeddings the identity.",
    ),
    (
        "vicreg",
        "vicreg:VICReg",
        "VICReg: equal embeddings of the views, with variance in each column and no covariance between columns.",
    ),
    (
        "cross_entropy",
        "cross_entropy:CrossEntropy",
        "Supervised: the class of each labeled view, as a bound for what is learned without labels.",
    ),
]
_HEADS = [
    ("classifier", "classifier:Classifier", "Linear map to one logit a class."),
    (
        "dino",
        "dino_head:DINOHead",
        "Perceptron to a unit-length embedding, and its cosines with learned prototypes.",
    ),
]


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(kind, name, f"rankhub_contrastive.{target}", summary)
        for kind, rows in (("loss", _LOSSES), ("head", _HEADS))
        for name, target, summary in rows
    ]
