"""Distortions of places in the image, with the rest left as it is.

Positions come from the same draws whatever the strength, so generators in the same state give each level the places of
the milder ones and more. The numbers of places are absolute, as in the paper, whose images have 512 x 384 pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rankhub_quality.distortion.pixels import Pixels, to_pixels

PATCH = 15
OFFSET = 5
BLOCK = 32


def pattern_noise(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Patches of 15 x 15 pixels, each replaced by the one 5 pixels further down and right in the original.

    Known as non-eccentricity pattern noise: nothing stands out, details are only in the wrong place. Patches may
    overlap; on a side below 20 pixels the offset shrinks to what there is room for.

    Source: supplement, section 3 (TID2013 type 14). The strength is the number of patches.
    """
    result = image.copy()
    height, width = (min(PATCH, side) for side in image.shape[:2])
    down, right = (min(OFFSET, image.shape[0] - height), min(OFFSET, image.shape[1] - width))
    rooms = (image.shape[0] - height - down + 1, image.shape[1] - width - right + 1)
    for top, left in _positions(round(strength), rooms, draws):
        source = image[top + down : top + down + height, left + right : left + right + width]
        result[top : top + height, left : left + width] = source
    return result


def colour_blocks(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Blocks of 32 x 32 pixels at random places, filled with the mean colour of the image; they may overlap.

    Source: supplement, section 3 (TID2013 type 15: local block-wise distortions). The strength is their number.
    """
    result = image.copy()
    colour = to_pixels(image.mean(axis=(0, 1)))
    height, width = (min(BLOCK, side) for side in image.shape[:2])
    for top, left in _positions(round(strength), (image.shape[0] - height + 1, image.shape[1] - width + 1), draws):
        result[top : top + height, left : left + width] = colour
    return result


def _positions(count: int, rooms: tuple[int, int], draws: np.random.Generator) -> npt.NDArray[np.int64]:
    """[count, 2] (row, column), uniform over ``rooms`` rows and columns; row by row, hence fewer are the first ones."""
    return (draws.random((count, 2)) * rooms).astype(np.int64)
