"""Official plugin: timm's networks as backbones, and the projection head."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component("backbone", "timm", "rankhub_timm.backbone:Timm", "Any image network of timm."),
        Component("head", "projection", "rankhub_timm.projection:Projection", "Linear layers on the pooled features."),
    ]
