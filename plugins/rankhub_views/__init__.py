"""Views of images, made in batches on the training device."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import rankhub
from rankhub import Component, Verb

if TYPE_CHECKING:
    from rankhub.interfaces.callback import Callback, RunInfo


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """Random views for training; the middle, crops, or all of an image, at once or in tiles, at test time."""
    return [
        Component(
            "generator",
            "random_views",
            "rankhub_views.random_views:RandomViews",
            "Random crop, rotation, flip, negative, colour jitter, grey and blur, in batches on the device.",
        ),
        Component("predict", "center", "rankhub_views.center:Center", "Resize, crop the middle, one pass."),
        Component("predict", "crops", "rankhub_views.crops:Crops", "Mean over random crops that the content decides."),
        Component("predict", "whole", "rankhub_views.whole:Whole", "The whole image in its own size, one pass."),
        Component("predict", "tiles", "rankhub_views.tiles:Tiles", "A large image tile by tile, for heads with a map."),
    ]


@rankhub.hookimpl
def rankhub_observers(run: RunInfo) -> Iterable[Callback]:
    """One that keeps the pictures of a run's views, in ``pictures/`` of its folder."""
    from rankhub_views.kept import Pictures

    return [Pictures(run.folder / "pictures")]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [Verb("show", "rankhub_views.show:app", "Draw what a component makes of an image.")]
