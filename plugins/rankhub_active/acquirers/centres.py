"""The greedy choice of images that are far from those already labeled or chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub_ranking.similarity import rounded

Floats = npt.NDArray[np.float64]
Metric = Literal["cosine", "euclidean"]

BLOCK = 2048
"""Images whose distances to centres are held at a time."""

CENTRES = 4096
"""Centres to which they are held at a time."""

COPY = 1e-5
"""Images nearer than this, as a share of the length of an embedding, are one image but for rounding."""


class Coverage:
    """How far each of n images is from the nearest centre.

    Distances are Euclidean; ``cosine`` means those between vectors of length 1, sqrt(2 - 2 cos), in [0, 2], which order
    as the cosine does and are a metric. They are taken in float64 and rounded by the rule of
    :mod:`rankhub_ranking.similarity`, on a grid of about a millionth of the vectors' length: those that differ by
    less may count as equal, and neither indices, blocks nor threads decide which image is further.

    Args:
        images: [n, d].
        centres: [c, d], may be none.
        metric: ``cosine`` or ``euclidean``.
        device: Where distances are computed.

    Attributes:
        nearest: [n] distance to the nearest centre; infinite while there is none.
        least: Distances up to this are rounding.
    """

    def __init__(self, images: Tensor, centres: Tensor, metric: Metric, device: torch.device) -> None:
        self._metric: Metric = metric
        self._images, self._factors = self._scaled(images.to(device))
        self.nearest: Floats = np.full(len(images), np.inf)
        length = 0.0  # the root of the mean squared length
        if len(images):
            length = math.sqrt(sum(float(block.square().sum()) for _, block in self._blocks()) / len(images))
        self.least = COPY * length
        # Of float32, which the last bits of a sum do not reach, so that they cannot move the grid.
        self._unit = 1.0 if metric == "cosine" else 2.0 ** math.frexp(np.float32(length))[1]
        if len(centres):
            self._measure(*self._scaled(centres.to(device)))

    def __len__(self) -> int:
        return len(self.nearest)

    def add(self, index: int) -> None:
        """Make image ``index`` a centre."""
        np.minimum(self.nearest, self.to(index), out=self.nearest)

    def to(self, index: int) -> Floats:
        """[n] distance to image ``index``."""
        return self._to(self._images[index].double() * self._factors[index])

    def to_mean(self) -> Floats:
        """[n] distance to the mean of all images."""
        return self._to(torch.stack([block.sum(dim=0) for _, block in self._blocks()]).sum(dim=0) / len(self))

    def _to(self, point: Tensor) -> Floats:
        found = np.empty(len(self))
        for rows, block in self._blocks():
            found[rows] = self._rounded(_distances(block, point[None])[:, 0])
        return found

    def _measure(self, centres: Tensor, factors: Tensor) -> None:
        """Find the nearest centre by a product of matrices, then measure the distance to it by differences.

        |x - c|² = |x|² + |c|² - 2 xc cancels, so its root would not be 0 between equal vectors.
        """
        for rows, images in self._blocks():
            best = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
            which = torch.zeros(len(images), dtype=torch.int64, device=images.device)
            for first in range(0, len(centres), CENTRES):
                block = slice(first, first + CENTRES)
                wide = centres[block].double() * factors[block]
                value, index = torch.addmm(wide.square().sum(dim=1), images, wide.T, alpha=-2).min(dim=1)
                which = torch.where(value < best, index + first, which)
                best = torch.minimum(best, value)
            found = _distances(images[:, None], (centres[which].double() * factors[which])[:, None])
            self.nearest[rows] = self._rounded(found[:, 0, 0])

    def _scaled(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """[n, d] as they are, and [n, 1] float64 what makes vectors of them: float64 copies of all would be large."""
        if self._metric == "euclidean":
            return rows, rows.new_ones((len(rows), 1), dtype=torch.float64)
        lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=torch.float64)
        return rows, lengths.reciprocal().where(lengths > torch.finfo(torch.float64).tiny, 1.0)

    def _blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Slices of the images, each with its vectors in float64, in memory that the next one uses again."""
        work = self._factors.new_empty(min(BLOCK, len(self)), self._images.shape[1])
        for start in range(0, len(self), BLOCK):
            rows = slice(start, start + BLOCK)
            images = self._images[rows]
            yield rows, torch.mul(images, self._factors[rows], out=work[: len(images)])

    def _rounded(self, distances: Tensor) -> Floats:
        found: Floats = rounded(distances, self._unit).cpu().numpy()
        return found


def greedy(values: Floats, coverage: Coverage, weight: float, count: int, first: Floats | None = None) -> list[int]:
    """Choose one after another the image of largest gain, and make it a centre.

        gain = value + weight * distance to the nearest centre / largest such distance at the start

    A copy of a centre (equal but for rounding) comes after all images that are none. Equal gains go to the lower index.
    While there is no centre the largest ``first`` is chosen, and the start is after it.

    Returns the indices of the chosen ones, in their order. ``values`` [n] are in [0, 1], ``first`` [n] by default
    ``values``.
    """
    chosen: list[int] = []
    free = np.ones(len(values), dtype=bool)
    scale = 0.0
    while len(chosen) < count:
        if np.isinf(coverage.nearest[0]):
            gain = values if first is None else first
        else:
            scale = scale or float(coverage.nearest.max())
            gain = values + weight * coverage.nearest / (scale or 1.0)
            gain = np.where(coverage.nearest <= coverage.least, values - 2.0, gain)
        index = int(np.argmax(np.where(free, gain, -np.inf)))
        chosen.append(index)
        free[index] = False
        coverage.add(index)
    return chosen


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
