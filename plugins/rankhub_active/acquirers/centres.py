"""The greedy choice of images that are far from those already labeled or chosen."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rankhub.interfaces.embeddings import unit_rows
from rankhub_active.acquirers.answers import Floats

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
    as the cosine does and are a metric. Each distance comes from the two vectors alone, by differences: it does not
    depend on what else is in a block, and is exactly 0 between equal vectors.

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
        self._images = _vectors(images, metric, device)
        self.nearest: Floats = np.full(len(images), np.inf)
        lengths = torch.linalg.vector_norm(self._images, dim=1)
        self.least = COPY * float(lengths.square().mean().sqrt()) if len(images) else 0.0
        if len(centres):
            self._measure(_vectors(centres, metric, device))

    def __len__(self) -> int:
        return len(self.nearest)

    def add(self, place: int) -> None:
        """Make image ``place`` a centre."""
        np.minimum(self.nearest, self.to(place), out=self.nearest)

    def to(self, place: int) -> Floats:
        """[n] distance to image ``place``."""
        return self._to(self._images[place])

    def to_mean(self) -> Floats:
        """[n] distance to the mean of all images."""
        return self._to(self._images.mean(dim=0, dtype=torch.float64).float())

    def _to(self, point: Tensor) -> Floats:
        found: Floats = _distances(self._images, point[None])[:, 0].double().cpu().numpy()
        return found

    def _measure(self, centres: Tensor) -> None:
        """Find the nearest centre by a product of matrices, then measure the distance to it.

        The product is in float64: |x - c|² = |x|² + |c|² - 2 xc cancels, and float32 could not tell near centres apart.
        """
        lengths = torch.linalg.vector_norm(centres, dim=1, dtype=torch.float64).square()
        for start in range(0, len(self), BLOCK):
            images = self._images[start : start + BLOCK]
            wide = images.double()
            best = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
            which = torch.zeros(len(images), dtype=torch.int64, device=images.device)
            for first in range(0, len(centres), CENTRES):
                block = slice(first, first + CENTRES)
                value, place = torch.addmm(lengths[block], wide, centres[block].double().T, alpha=-2).min(dim=1)
                which = torch.where(value < best, place + first, which)
                best = torch.minimum(best, value)
            found = _distances(images[:, None], centres[which][:, None])
            self.nearest[start : start + BLOCK] = found[:, 0, 0].double().cpu().numpy()


def greedy(values: Floats, coverage: Coverage, weight: float, count: int, first: Floats | None = None) -> list[int]:
    """Choose one after another the image of largest gain, and make it a centre.

        gain = value + weight * distance to the nearest centre / largest such distance at the start

    A copy of a centre (equal but for rounding) comes after all images that are none. Equal gains go to the lower place.
    While there is no centre the largest ``first`` is chosen, and the start is after it.

    Args:
        values: [n] in [0, 1].
        coverage: Of the n images; chosen ones are added.
        weight: At least 0.
        count: How many, at most n.
        first: [n]; None = ``values``.

    Returns:
        The places of the chosen ones, in their order.
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
        place = int(np.argmax(np.where(free, gain, -np.inf)))
        chosen.append(place)
        free[place] = False
        coverage.add(place)
    return chosen


def _vectors(rows: Tensor, metric: Metric, device: torch.device) -> Tensor:
    rows = rows.to(device)
    return unit_rows(rows) if metric == "cosine" else rows


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
