"""Official plugin: what ranking is compared with, self-supervised methods and, as a bound, class labels."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "loss",
            "nt_xent",
            "rankhub_contrastive.nt_xent:NTXent",
            "SimCLR: tell the other views of an image from all other views; two views or many.",
        ),
        Component(
            "loss",
            "moco",
            "rankhub_contrastive.moco:MoCo",
            "MoCo v2: tell a teacher's embedding of another view from a queue of earlier ones.",
        ),
        Component(
            "loss",
            "swav",
            "rankhub_contrastive.swav:SwAV",
            "SwAV: predict the balanced cluster assignment of another view; takes multi-crop views.",
        ),
        Component(
            "loss",
            "dino",
            "rankhub_contrastive.dino:DINO",
            "DINO: predict a teacher's centred and sharpened scores of another view; takes multi-crop views.",
        ),
        Component(
            "loss",
            "barlow_twins",
            "rankhub_contrastive.barlow_twins:BarlowTwins",
            "Barlow Twins: make the cross-correlation of two views' embeddings the identity.",
        ),
        Component(
            "loss",
            "vicreg",
            "rankhub_contrastive.vicreg:VICReg",
            "VICReg: equal embeddings of the views, with variance in each column and no covariance between columns.",
        ),
        Component(
            "loss",
            "cross_entropy",
            "rankhub_contrastive.cross_entropy:CrossEntropy",
            "Supervised: the class of each labeled view, as a bound for what is learned without labels.",
        ),
        Component(
            "head",
            "classifier",
            "rankhub_contrastive.classifier:Classifier",
            "Linear map to one logit a class.",
        ),
        Component(
            "head",
            "dino",
            "rankhub_contrastive.dino_head:DINOHead",
            "Perceptron to a unit-length embedding, and its cosines with learned prototypes.",
        ),
    ]
