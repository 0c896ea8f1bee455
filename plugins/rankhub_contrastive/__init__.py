"""Official plugin: the self-supervised methods that ranking is compared with."""

import rankhub
from rankhub import Component

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
]
"""Name, class in this package, and what it does."""


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "head",
            "dino",
            "rankhub_contrastive.dino_head:DINOHead",
            "Perceptron to a unit-length embedding, and its cosines with learned prototypes.",
        ),
        *(Component("loss", name, f"rankhub_contrastive.{target}", summary) for name, target, summary in _LOSSES),
    ]
