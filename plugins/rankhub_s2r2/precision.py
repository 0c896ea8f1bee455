"""Ranks of the positives of every query, and its average precision, with any step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rankhub_ranking.sums import exact_mean
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.steps import Band, Heaviside, SlopedStep, Step
from rankhub_s2r2.streamed import Block, Statistic, SummedLoss, streamed


def positive_ranks(
    rows: Tensor, queries: Queries, step: Step, block_bytes: int | None = None, *, among: Step | None = None
) -> tuple[Tensor, Tensor]:
    """How many items stand above each positive, for every query.

    With s_q(j) the inner product of rows q and j, P_q the query's positives and N_q all other rows but q:

        among[q, i] = 1 + Σ_{j in P_q, j != i} H⁺(s_q(j) - s_q(i))
        above[q, i] =     Σ_{j in N_q}         H(s_q(j) - s_q(i))

    ``among`` is R⁺ and ``among + above`` is R of the average-precision losses. Streamed, with the closed-form gradient.

    [n, P] each, of steps H and H⁺ (``among``; None = H). They have a graph if H is a :class:`SlopedStep`; else the
    similarities are compared as :mod:`rankhub_ranking.similarity` rounds them, so that equals are equal.
    """
    counted, above = streamed(rows, queries, Ranks(step, among or step), block_bytes)
    return counted, above


class Ranks(Statistic):
    """R⁺ (by the step ``among``) and R - R⁺ (by ``step``) of each positive."""

    def __init__(self, step: Step, among: Step) -> None:
        self.step, self.among = step, among
        self.sloped = isinstance(step, SlopedStep)
        self.exact = not self.sloped

    def values(self, block: Block) -> tuple[Tensor, ...]:
        """[m, P] R⁺ and [m, P] R - R⁺."""
        return self.counted(block.own), self.step.sums(block.scores, block.own)

    def pull_back(self, block: Block, grads: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The closed form, by the slopes of the steps."""
        at_among, at_above = grads
        assert isinstance(self.step, SlopedStep)
        at_scores, at_own = self.step.pull_back(block.scores, block.own, at_above)
        return at_scores, self.add_among(at_own, block.own, at_among)

    def counted(self, own: Tensor) -> Tensor:
        """[m, P] R⁺."""
        return self.among.sums(own, own).add_(1 - self.among.at_zero)

    def add_among(self, at_own: Tensor, own: Tensor, at_among: Tensor) -> Tensor:
        """``at_own`` [m, P] and what the gradient at R⁺ adds to it, in its place."""
        if isinstance(self.among, SlopedStep):
            for pulled in self.among.pull_back(own, own, at_among):
                at_own += pulled
        return at_own


class PrecisionLoss(SummedLoss):
    """1 - AP of each query, AP_q = 1/|P_q| Σ_{i in P_q} R⁺(i) / R(i), with the ranks of :func:`positive_ranks`.

    The gradient is the closed form of what autograd makes of :func:`query_precision`, so that a step may take its sums
    and its slopes in one go.
    """

    def __init__(self, step: SlopedStep, *, among: Step | None = None) -> None:
        self.step, self.ranks, self.in_place = step, Ranks(step, among or step), step.in_place
        super().__init__(self.ranks)

    def term(self, block: Block, values: tuple[Tensor, ...]) -> Tensor:
        """1 - AP."""
        return 1 - _precision(*values)

    def with_gradient(self, block: Block) -> tuple[Tensor, Tensor, Tensor]:
        """By d(1 - R⁺/R) = -(R - R⁺) / R² at R⁺, and R⁺ / R² at R - R⁺."""
        among = self.ranks.counted(block.own)
        share = among / among.shape[1]

        def at_above(some: slice, above: Tensor) -> Tensor:
            return share[some] / (among[some] + above).square_()

        above, at_scores, at_own = self.step.sums_and_gradient(block.scores, block.own, at_above)
        at_among = above / (among + above).square_().mul_(-among.shape[1])
        return self.term(block, (among, above)), at_scores, self.ranks.add_among(at_own, block.own, at_among)


def query_precision(
    rows: Tensor, queries: Queries, step: Step, block_bytes: int | None = None, *, among: Step | None = None
) -> Tensor:
    """AP_q = 1/|P_q| Σ_{i in P_q} R⁺(i) / R(i), [n] in (0, 1], with the ranks of :func:`positive_ranks`."""
    return _precision(*positive_ranks(rows, queries, step, block_bytes, among=among))


def _precision(counted: Tensor, above: Tensor) -> Tensor:
    """[m, P] R⁺ and R - R⁺ -> [m] AP."""
    return (counted / (counted + above)).mean(1)


def average_precision(
    rows: Tensor, queries: Sequence[Queries], step: Step, block_bytes: int | None = None
) -> tuple[Tensor, Tensor]:
    """:func:`query_precision` at the rows of the queries, [N], 0 at others; and [N] bool, which rows are queries.

    It has a graph also where there is no query at all.
    """
    precision = rows.new_zeros(len(rows)) + rows[:0].sum()
    valid = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
    for some in queries:
        precision = precision.index_put((some.rows,), query_precision(rows, some, step, block_bytes))
        valid[some.rows] = True
    return precision, valid


@torch.no_grad()
def exact_precision(rows: Tensor, queries: Sequence[Queries]) -> tuple[Tensor, Tensor]:
    """Two scalars: the means over the queries of the exact average precision, and of the precision at 1.

    Equals, by the rule of :mod:`rankhub_ranking.similarity`, count half in the first. In the second a query counts 1
    if no negative is as near as its nearest positive, else 0, so that a collapsed network has none. Both are 0 without
    queries, and the same bit for bit whatever the order of the rows, the blocks and the number of threads.
    """
    precision, first = [rows.new_zeros(0, dtype=torch.float64)], [rows.new_zeros(0)]
    for some in queries:
        among, above = (ranks.double() for ranks in positive_ranks(rows, some, Heaviside()))
        precision.append(exact_mean(among / (among + above), 1))
        first.append(above.amin(1).eq(0).to(rows.dtype))
    return exact_mean(torch.cat(precision)).to(rows.dtype), exact_mean(torch.cat(first)).to(rows.dtype)


@torch.no_grad()
def share_within(rows: Tensor, queries: Sequence[Queries], width: float) -> Tensor:
    """Scalar: the share of the pairs of a positive and another item whose similarities differ by less than ``width``.

    The other items of a query are all rows but the positive, and but the query unless it is its own positive.
    """
    near, pairs = rows.new_zeros((), dtype=torch.float64), 0  # float32 counts no further than 2^24
    for some in queries:
        among, above = positive_ranks(rows, some, Band(width))
        near += (among - 1 + above).sum(dtype=torch.float64)
        pairs += some.positives.numel() * (len(rows) - 2 + some.include_self)
    return (near / max(1, pairs)).to(rows.dtype)
