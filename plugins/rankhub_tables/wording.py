"""Parts of sentences."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 3
"""So many items stand in a sentence; the rest are counted."""


def some(items: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = len(items) - _NAMED
    return ", ".join(items[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def number_of_images(count: int) -> str:
    """``one image``, ``1,234 images``."""
    return "one image" if count == 1 else f"{count:,} images"
