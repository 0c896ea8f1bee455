"""Points of one image, laid into the image as it is served, with the distance to their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

Floats = npt.NDArray[np.float64]

NEAR = 1.0
"""A point so many pixels beyond the border, or fewer, was meant to be on it."""
INSIDE = 1e-3
"""Points stay so far from the right and the bottom edge, in pixels: a point on them would be in no view."""
NEIGHBOURS = 3
"""The extent is the mean distance to so many other points (Zhang et al., CVPR 2016: geometry-adaptive kernels)."""
SWAPPED = 0.1
"""Share of an image's points that must fit only with x and y exchanged for it to be said."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The points of an image as it is served.

    Attributes:
        points: [n, 3] x, y and extent in pixels of the image as it is served; see :func:`placed`.
        moved: How many were at most ``NEAR`` pixels outside and were moved to the border.
        outside: [k, 2] those further outside, which are not among the points; in pixels of the file's image.
        swapped: Whether a notable share of the points fits into the image only with x and y exchanged.
    """

    points: Floats
    moved: int
    outside: Floats
    swapped: bool


def placed(points: Floats, source: tuple[int, int], served: tuple[int, int]) -> Placed:
    """Move points from the image of the file to the image as it is served.

    Each axis is scaled by its own ratio of sizes, since sizes are rounded. Two points at one place stay two.

    Args:
        points: [n, 2] x and y in pixels, counted from the left and the top edge of the image in the file.
        source: Height and width of the image in the file, upright.
        served: Height and width after shrinking.

    Returns:
        Points with 0 <= x < width and 0 <= y < height of the served image.
    """
    edge, new = np.array(source[::-1], dtype=np.float64), np.array(served[::-1], dtype=np.float64)
    far = ((points < -NEAR) | (points > edge + NEAR)).any(axis=1)
    exchanged = points[far, ::-1]
    mended = ((exchanged >= -NEAR) & (exchanged <= edge + NEAR)).all(axis=1)
    kept = points[~far]
    moved = ((kept < 0) | (kept >= edge)).any(axis=1)
    # The ratio first: it is exactly 1 where the sizes are equal.
    there = np.clip(kept * (new / edge), 0.0, new - INSIDE)
    return Placed(
        np.column_stack([there, extents(there)]),
        int(moved.sum()),
        points[far],
        bool(mended.sum() and mended.sum() >= SWAPPED * len(points)),
    )


def doubts(points: Sequence[Floats]) -> dict[int, str]:
    """What shows that points are not what was meant, as the part of a sentence that follows the image's name.

    Shares of width and height, as other tools write them, would all lie in the first pixel, and a file that was
    appended to itself would double all counts. A single point may be in the first pixel if others of the file are not;
    two objects may be at one place if others of the image are not.

    Args:
        points: Of each image of a file, [n, 2] x and y as they are written.

    Returns:
        Number of an image -> what is wrong with its points.
    """
    some = {number: of for number, of in enumerate(points) if len(of)}
    small = {number for number, of in some.items() if ((of >= 0) & (of <= 1)).all() and (of % 1).any()}
    found = {}
    for number, of in some.items():
        distinct, counts = np.unique(of, axis=0, return_counts=True)
        if number in small and (len(distinct) > 1 or len(small) == len(some)):
            found[number] = "its points lie between 0 and 1, as shares of width and height do; write them in pixels"
        elif counts.min() > 1:
            found[number] = "each of its points is there more than once; keep one of each"
    return found


def extents(points: Floats) -> Floats:
    """[n] mean distance of each point to the three nearest others, in pixels.

    Args:
        points: [n, 2]. Points at one place are 0 apart.

    Returns:
        NaN where there are fewer than four points.
    """
    if len(points) <= NEIGHBOURS:
        return np.full(len(points), np.nan)
    distances, _ = cKDTree(points).query(points, k=NEIGHBOURS + 1)
    # The nearest is the point itself, or one at the same place: 0 either way.
    means: Floats = np.asarray(distances, dtype=np.float64)[:, 1:].mean(axis=1)
    return means
