"""Backbones of timm, and a projection head."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The timm backbone and the projection head."""
    return [
        Component("backbone", "timm", "rankhub_timm.backbone:TimmBackbone", "Any network of timm, without its head."),
        Component(
            "head", "projection", "rankhub_timm.projection:Projection", "A small MLP from features to an embedding."
        ),
    ]
