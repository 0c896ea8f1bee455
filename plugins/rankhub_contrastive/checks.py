"""Sentences against views that a method cannot use."""

from __future__ import annotations

from collections.abc import Iterator

from rankhub.interfaces.generator import ViewSpec


def no_pair(loss: str, views: ViewSpec) -> Iterator[str]:
    """One sentence if no group can hold two views."""
    if views.views <= views.groups:
        grouped = f" in {views.groups} groups" if views.groups > 1 else ""
        yield (
            f"{loss} compares views of one group and needs at least two in it, but the stream makes "
            f"{_views(views.views)} of each image{grouped}; set `views: 2` or more on the stream's generator"
        )


def no_target(loss: str, views: ViewSpec, global_views: int) -> Iterator[str]:
    """One sentence if the views numbered below ``global_views`` are not large views with others to predict them."""
    sides = [side for count, side in views.sizes for _ in range(count)]
    largest = max((side for side in sides if side is not None), default=None)
    small = [side for side in sides[:global_views] if side is not None and side != largest]
    if views.views < 2:
        yield (
            f"{loss} predicts one view of an image from another, but the stream makes 1 view of each image; "
            "set `views: 2` or more on the stream's generator"
        )
    elif views.views < global_views:
        yield (
            f"{loss} takes its targets from the first {global_views} views of an image, but the stream makes "
            f"{_views(views.views)} of each image; set `global_views: {views.views}` or more views"
        )
    elif small:
        yield (
            f"{loss} takes its targets from the first {global_views} views of an image, which should be its large "
            f"ones, but among them are views of {small[0]} px beside others of {largest} px; put the large views "
            "first, or set `global_views` to their number"
        )


def _views(count: int) -> str:
    return f"{count} view{'s' * (count != 1)}"
