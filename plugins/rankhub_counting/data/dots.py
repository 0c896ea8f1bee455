"""Images in which each dot marks an object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rankhub.interfaces.errors import UserError
from rankhub_data.decode import UndecodableError, decode
from rankhub_data.placed import Floats

CROWDED = 0.1
"""A picture with a larger share of bright pixels is no image of dots."""
_TOUCHING = np.ones((3, 3), dtype=bool)
"""Pixels touch along an edge or at a corner."""


@dataclass(frozen=True, slots=True)
class Dots:
    """The dots of an image.

    Attributes:
        size: Height and width of the image of dots.
        pixels: [p, 2] x and y of the centre of each bright pixel, from the image's edge.
        blobs: [b, 2] centre of mass of each group of touching bright pixels.
        single: How many of these groups are one pixel.
    """

    size: tuple[int, int]
    pixels: Floats
    blobs: Floats
    single: int


def read_dots(path: Path, threshold: int) -> Dots:
    """Read an image of dots.

    Args:
        path: The file.
        threshold: Pixels are bright if a channel of theirs, from 0 to 255, is above it.

    Raises:
        UserError: It cannot be read, or too many of its pixels are bright.
    """
    try:
        image, _, size = decode(path.read_bytes(), path.suffix)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UndecodableError as error:
        raise UserError(f"{path} cannot be read ({error.reason}); get it anew") from None
    bright: npt.NDArray[np.bool_] = image.max(axis=0) > threshold
    if bright.mean() > CROWDED:
        raise UserError(
            f"{path} is no image of dots: {bright.mean():.0%} of its pixels are above {threshold}; dots are bright on "
            "a dark ground: set `dots` to the pattern of their files, or `threshold`"
        )
    groups, count = ndimage.label(bright, structure=_TOUCHING)
    rows, columns = np.nonzero(bright)
    pixels: Floats = np.column_stack([columns, rows]).astype(np.float64) + 0.5
    members = groups[rows, columns] - 1
    sizes = np.bincount(members, minlength=count)
    sums = np.column_stack([np.bincount(members, weights=axis, minlength=count) for axis in pixels.T])
    blobs: Floats = np.asarray(sums / sizes[:, None], dtype=np.float64)
    return Dots(size, pixels, blobs, int((sizes == 1).sum()))
