"""Views of images, made in batches on the training device."""

import rankhub
from rankhub import Component, Verb


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """Random views for training; the middle, crops, or all of an image, at once or in tiles, at test time."""
    return [
        Component(
            "generator",
            "random_views",
            "rankhub_views.random_views:RandomViews",
            "Random crop, flip, colour jitter, grey and blur, in batches on the device.",
        ),
        Component("predict", "center", "rankhub_views.center:Center", "Resize, crop the middle, one pass."),
        Component("predict", "crops", "rankhub_views.crops:Crops", "Mean over random crops that the content decides."),
        Component("predict", "whole", "rankhub_views.whole:Whole", "The whole image in its own size, one pass."),
        Component("predict", "tiles", "rankhub_views.tiles:Tiles", "A large image tile by tile, for heads with a map."),
    ]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [Verb("show", "rankhub_views.show:app", "Draw what a component makes of an image.")]
