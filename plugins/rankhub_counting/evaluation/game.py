"""Grid average mean absolute error: counts must be right in the right place (Guerrero-Gómez-Olmedo et al., 2015)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def game(density: Floats, points: Floats, size: tuple[int, int], level: int) -> float:
    """GAME(L) of one image: the absolute errors of the counts in 4^L equal regions, summed.

    The image is cut into a grid of 2^L by 2^L regions; GAME(L) of a data set is the mean over its images. GAME(0) is
    the absolute error of the count; since every region is cut into four, GAME never falls as L grows (Guerrero-Gómez-
    Olmedo, Torre-Jiménez, López-Sastre, Maldonado-Bascón, Oñoro-Rubio: Extremely overlapping vehicle counting, IbPRIA
    2015, equation 4).

    ``density`` is [h, w] points a cell, spread evenly over the image; ``points`` are [n, 2 or more] x and y in pixels.
    """
    side = 2**level
    return float(np.abs(in_regions(density, side) - points_in_regions(points, size, side)).sum())


def in_regions(density: Floats, side: int) -> Floats:
    """[side, side] sums of a map over a grid of equal regions; a cell on a border is shared by area.

    This is the exact integral of the map that is constant on each cell, so the regions sum to the map's sum.
    """
    height, width = density.shape
    return np.asarray(_shares(height, side) @ density @ _shares(width, side).T)


def _shares(cells: int, regions: int) -> Floats:
    """[regions, cells] how much of each cell of a line lies in each of the line's equal regions; columns sum to 1."""
    edges = np.arange(regions + 1) * cells / regions
    starts = np.arange(cells)
    overlap = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    return np.asarray(np.clip(overlap, 0, None))


def points_in_regions(points: Floats, size: tuple[int, int], side: int) -> Floats:
    """[side, side] how many points lie in each region; a region holds its left and its top border.

    One outside the image counts in the region nearest to it, so that the regions sum to the number of points.
    """
    height, width = size
    column = np.clip(np.floor(points[:, 0] * side / width), 0, side - 1).astype(np.int64)
    row = np.clip(np.floor(points[:, 1] * side / height), 0, side - 1).astype(np.int64)
    return np.bincount(row * side + column, minlength=side * side).reshape(side, side).astype(np.float64)
