"""Views of images, made in batches on the training device."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """Random views for training, and the middle of an image at test time."""
    return [
        Component(
            "generator",
            "random_views",
            "rankhub_views.random_views:RandomViews",
            "Random crop, flip, colour jitter, grey and blur, in batches on the device.",
        ),
        Component("predict", "center", "rankhub_views.center:Center", "Resize, crop the middle, one pass."),
    ]
