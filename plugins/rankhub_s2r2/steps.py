"""Steps: how strongly one item counts as ranked above another, as a function of the gap between their scores.

The rank of item i is 1 + Σ_j H(s_j - s_i) with Heaviside's step H. Losses put a step with a slope in its place;
that is the only part in which they differ here. A step works on sums over j, not on single gaps, so that it may use
a cheaper way than to visit every pair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

_TILE_BYTES = {"cpu": 2**20, "cuda": 2**26}
"""Working memory: on a CPU what stays in the second-level cache, on a GPU enough to fill it."""


class Step(ABC):
    """A step function H with H(-inf) = 0, so that a score of -inf takes no part in any rank.

    Attributes:
        at_zero: H(0), what an item counts against itself or against an equal.
    """

    at_zero: float = 0.5

    @abstractmethod
    def sums(self, scores: Tensor, pivots: Tensor) -> Tensor:
        """Σ_j H(scores[q, j] - pivots[q, i]) for each query q and pivot i.

        Args:
            scores: [m, n], or -inf where an item is to be left out.
            pivots: [m, P] finite.

        Returns:
            [m, P].
        """


class SlopedStep(Step):
    """A step with a derivative H'."""

    @abstractmethod
    def pull_back(self, scores: Tensor, pivots: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of Σ_qi weights[q, i] · sums[q, i].

        Args:
            scores: [m, n], or -inf where an item is left out.
            pivots: [m, P] finite.
            weights: [m, P], the gradient at the sums.

        Returns:
            [m, n] Σ_i weights_i H'(s_j - s_i), the gradient at the scores; and [m, P] -weights_i Σ_j H'(s_j - s_i),
            that at the pivots.
        """


class Heaviside(Step):
    """The true step: 0 below, 1 above, and 1/2 for equals, the limit of every symmetric smooth step."""

    def sums(self, scores: Tensor, pivots: Tensor) -> Tensor:
        """Number of scores above each pivot, and half of those equal to it."""
        out = torch.empty_like(pivots)
        for tile, work in _tiles(scores, pivots):
            gaps = torch.sub(scores[tile, None], pivots[tile, :, None], out=work)
            out[tile] = gaps.sign_().sum(-1)
        return out.add_(scores.shape[1]).div_(2)


class Window(Step):
    """Not a step but a band, with which pairs are counted: 1 where the gap is smaller than ``width``, else 0."""

    at_zero = 1.0

    def __init__(self, width: float) -> None:
        self.width = width

    def sums(self, scores: Tensor, pivots: Tensor) -> Tensor:
        """Number of scores nearer than ``width`` to each pivot."""
        out = torch.empty_like(pivots)
        for tile, work in _tiles(scores, pivots):
            gaps = torch.sub(scores[tile, None], pivots[tile, :, None], out=work)
            out[tile] = gaps.abs_().lt_(self.width).sum(-1)
        return out


class Sigmoid(SlopedStep):
    """The logistic step G(x) = 1 / (1 + exp(-x / tau)) of Smooth-AP (Brown et al., ECCV 2020); G' = G (1 - G) / tau.

    Args:
        tau: Temperature, above 0, in units of the scores.
    """

    def __init__(self, tau: float) -> None:
        self.scale = 1.0 / tau

    def sums(self, scores: Tensor, pivots: Tensor) -> Tensor:
        """Smooth number of scores above each pivot."""
        out = torch.empty_like(pivots)
        for tile, work in _tiles(scores, pivots):
            out[tile] = self._shares(scores[tile], pivots[tile], work).sum(-1)
        return out

    def pull_back(self, scores: Tensor, pivots: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the weighted sums."""
        at_scores, at_pivots = torch.empty_like(scores), torch.empty_like(pivots)
        for tile, work in _tiles(scores, pivots):
            shares, weight = self._shares(scores[tile], pivots[tile], work), weights[tile] * self.scale
            slopes = shares.addcmul_(shares, shares, value=-1)
            at_pivots[tile] = slopes.sum(-1).mul_(weight).neg_()
            torch.bmm(weight[:, None], slopes, out=at_scores[tile, None])
        return at_scores, at_pivots

    def _shares(self, scores: Tensor, pivots: Tensor, work: Tensor) -> Tensor:
        """[m, P, n] G(s_j - s_i), written into ``work``. Scaling before the pairs are formed saves a pass over them."""
        scores, pivots = scores * self.scale, pivots * self.scale
        return torch.sub(scores[:, None], pivots[:, :, None], out=work).sigmoid_()


def _tiles(scores: Tensor, pivots: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Slices of the queries, each with uninitialised working memory [rows, P, n] that the next one uses again."""
    (count, pivot_count), items = pivots.shape, scores.shape[1]
    row_bytes = max(1, pivot_count * items * scores.element_size())
    rows = max(1, min(count, _TILE_BYTES.get(scores.device.type, 2**26) // row_bytes))
    work = scores.new_empty(rows, pivot_count, items)
    for start in range(0, count, rows):
        stop = min(count, start + rows)
        yield slice(start, stop), work[: stop - start]
