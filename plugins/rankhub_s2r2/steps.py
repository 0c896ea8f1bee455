"""Steps: how strongly one item counts as ranked above another, as a function of the gap between their scores.

The rank of item i is 1 + Σ_j H(s_j - s_i) with Heaviside's step H. Losses put a step with a slope in its place;
that is the only part in which they differ here. A step works on sums over j, not on single gaps, so that it may use
a cheaper way than to visit every pair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rankhub_ranking.similarity import RESOLUTION

Levels = tuple[Tensor, Tensor]
"""Relevance of items [m, n] and of pivots [m, P]."""

Weigh = Callable[[slice, Tensor], Tensor]
"""(Which of the queries, their sums [rows, P]) -> the gradient [rows, P] at these sums."""

_TILE_BYTES = {"cpu": 2**20, "cuda": 2**26}
"""Working memory: for each thread of a CPU what stays in its second-level cache, on a GPU enough to fill it."""


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
    """A step with a derivative H'.

    Attributes:
        in_place: Whether :meth:`sums_and_gradient` writes the gradient at the scores over these.
    """

    in_place = False

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

    def sums_and_gradient(self, scores: Tensor, pivots: Tensor, weigh: Weigh) -> tuple[Tensor, Tensor, Tensor]:
        """The sums, and the gradient of what is made of them, at the scores and at the pivots.

        Args:
            scores: As in :meth:`sums`; may be overwritten.
            pivots: As in :meth:`sums`.
            weigh: The gradient at the sums of some queries.
        """
        sums = self.sums(scores, pivots)
        return sums, *self.pull_back(scores, pivots, weigh(slice(None), sums))


class Heaviside(Step):
    """The true step: 0 below, 1 above, and of equals 1/2, the limit of every symmetric smooth step."""

    def sums(self, scores: Tensor, pivots: Tensor) -> Tensor:
        """Number of scores above each pivot, and half of those equal to it."""
        out = torch.empty_like(pivots)
        equal = scores.new_full((), self.at_zero)
        for tile, work in _tiles(scores, pivots):
            gaps = torch.sub(scores[tile, None], pivots[tile, :, None], out=work)
            out[tile] = torch.heaviside(gaps, equal, out=work).sum(-1)
        return out


class AtLeast(Step):
    """The step of ROADMAP, 1 from 0 on. Its scores come as they are, so a gap up to ``RESOLUTION`` below 0 is none."""

    at_zero = 1.0

    def sums(self, scores: Tensor, pivots: Tensor) -> Tensor:
        """Number of scores equal to each pivot or above it."""
        out = torch.empty_like(pivots)
        for tile, work in _tiles(scores, pivots):
            gaps = torch.sub(scores[tile, None], pivots[tile, :, None], out=work)
            out[tile] = gaps.ge_(-RESOLUTION).sum(-1)
        return out


class Band(Step):
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


class PairStep(SlopedStep):
    """A step that visits every pair: H and H' are functions of the gap in units of ``1 / scale``.

    Attributes:
        scale: What scores are multiplied by before the pairs are formed, which saves a pass over them.
    """

    scale: float = 1.0

    @abstractmethod
    def share_(self, gaps: Tensor) -> Tensor:
        """H of the scaled gaps, in their place; 0 at -inf."""

    @abstractmethod
    def slope_(self, gaps: Tensor) -> Tensor:
        """dH/d(scaled gap), in the place of the gaps; 0 at -inf."""

    def sums(self, scores: Tensor, pivots: Tensor, levels: Levels | None = None) -> Tensor:
        """Σ_j H(scores[q, j] - pivots[q, i]); with ``levels`` of both Σ_j min(l_j, l_i) H(...)."""
        out = torch.empty_like(pivots)
        for tile, gaps in self._gaps(scores, pivots):
            shares = self.share_(gaps)
            if levels is not None:
                shares.mul_(_smaller(levels, tile))
            out[tile] = shares.sum(-1)
        return out

    def pull_back(
        self, scores: Tensor, pivots: Tensor, weights: Tensor, levels: Levels | None = None
    ) -> tuple[Tensor, Tensor]:
        """The gradient of the weighted sums."""
        at_scores, at_pivots = torch.empty_like(scores), torch.empty_like(pivots)
        for tile, gaps in self._gaps(scores, pivots):
            slopes, weight = self.slope_(gaps), weights[tile] * self.scale
            if levels is not None:
                slopes.mul_(_smaller(levels, tile))
            at_pivots[tile] = slopes.sum(-1).mul_(weight).neg_()
            torch.bmm(weight[:, None], slopes, out=at_scores[tile, None])
        return at_scores, at_pivots

    def _gaps(self, scores: Tensor, pivots: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Slices of the queries, and the scaled gaps [rows, P, n] of each, in memory that the next one uses again."""
        own = (pivots * self.scale)[:, :, None]
        for tile, work in _tiles(scores, pivots):
            yield tile, torch.sub((scores[tile] * self.scale)[:, None], own[tile], out=work)


class Sigmoid(PairStep):
    """The logistic step G(x) = 1 / (1 + exp(-x / tau)) of Smooth-AP (Brown et al., ECCV 2020); G' = G (1 - G) / tau."""

    in_place = True

    def __init__(self, tau: float) -> None:
        self.scale = 1.0 / tau

    def share_(self, gaps: Tensor) -> Tensor:
        """G."""
        return gaps.sigmoid_()

    def slope_(self, gaps: Tensor) -> Tensor:
        """G (1 - G)."""
        return self._slope_of_(self.share_(gaps))

    def _slope_of_(self, shares: Tensor) -> Tensor:
        return shares.addcmul_(shares, shares, value=-1)

    def sums_and_gradient(self, scores: Tensor, pivots: Tensor, weigh: Weigh) -> tuple[Tensor, Tensor, Tensor]:
        """Each G is taken once, for the sums and for the slopes."""
        sums, weights, at_pivots = torch.empty_like(pivots), torch.empty_like(pivots), torch.empty_like(pivots)
        for tile, gaps in self._gaps(scores, pivots):
            shares = self.share_(gaps)
            above = torch.sum(shares, -1, out=sums[tile])
            weight = torch.mul(weigh(tile, above), self.scale, out=weights[tile])
            slopes = self._slope_of_(shares)
            torch.sum(slopes, -1, out=at_pivots[tile])
            torch.bmm(weight[:, None], slopes, out=scores[tile, None])
        return sums, scores, at_pivots.mul_(weights).neg_()


def _smaller(levels: Levels, tile: slice) -> Tensor:
    items, own = levels
    return torch.minimum(items[tile, None], own[tile, :, None])


def _tiles(scores: Tensor, pivots: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Slices of the queries, each with uninitialized working memory [rows, P, n] that the next one uses again."""
    (count, pivot_count), items = pivots.shape, scores.shape[1]
    row_bytes = max(1, pivot_count * items * scores.element_size())
    threads = min(torch.get_num_threads(), 8) if scores.device.type == "cpu" else 1
    rows = max(1, min(count, threads * _TILE_BYTES.get(scores.device.type, 2**26) // row_bytes))
    work = scores.new_empty(rows, pivot_count, items)
    for start in range(0, count, rows):
        stop = min(count, start + rows)
        yield slice(start, stop), work[: stop - start]
