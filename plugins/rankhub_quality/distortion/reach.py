"""Levels that change nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rankhub_quality.distortion.pixels import Pixels


def distinct(image: Pixels, variants: Sequence[Pixels]) -> list[bool]:
    """Which levels differ from the level before them.

    A codec can be at its limit, a grey image has no colours to lose, a flat one nothing to blur: the pixels then equal
    those of the milder level, and a pair of the two would teach that equal images differ in quality.

    Args:
        image: The undistorted image.
        variants: One per level, mild to strong.

    Returns:
        For each level, whether it differs from the last one that did (at first, from the image).
    """
    result, before = [], image
    for variant in variants:
        result.append(not np.array_equal(variant, before))
        before = variant
    return result
