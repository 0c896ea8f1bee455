"""Ranks of the positives of every query."""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub_s2r2.positives import Queries
from rankhub_s2r2.steps import SlopedStep, Step
from rankhub_s2r2.streamed import Block, Statistic, streamed


def positive_ranks(
    rows: Tensor, queries: Queries, step: Step, block_bytes: int | None = None, *, among: Step | None = None
) -> tuple[Tensor, Tensor]:
    """How many items stand above each positive, for every query.

    With s_q(j) the inner product of rows q and j, P_q the query's positives and N_q all other rows but q:

        among[q, i] = 1 + Σ_{j in P_q, j != i} H⁺(s_q(j) - s_q(i))
        above[q, i] =     Σ_{j in N_q}         H(s_q(j) - s_q(i))

    ``among`` is R⁺ and ``among + above`` is R of the average-precision losses. Streamed, with the closed-form gradient.

    Args:
        rows: [N, d] of unit length, float32 or float64.
        queries: Queries with P positives each.
        step: H. The result has a graph if it is a :class:`SlopedStep`.
        block_bytes: Bytes of similarities held at a time (at least one query's); None = what suits the device.
        among: H⁺; None = H. It adds a gradient only if it is a :class:`SlopedStep`.

    Returns:
        ``among`` and ``above``, [n, P] each; of a step without a slope by the similarities as
        :mod:`rankhub_ranking.similarity` rounds them, so that equals are equal.
    """
    counted, above = streamed(rows, queries, Ranks(step, among or step), block_bytes)
    return counted, above


class Ranks(Statistic):
    """R⁺ and R - R⁺ of each positive.

    Args:
        step: H among positives and negatives.
        among: H⁺ among the positives.
    """

    def __init__(self, step: Step, among: Step) -> None:
        self.step, self.among = step, among
        self.sloped = isinstance(step, SlopedStep)
        self.exact = not self.sloped

    def values(self, block: Block) -> tuple[Tensor, ...]:
        """[m, P] R⁺ and [m, P] R - R⁺."""
        among = self.among.sums(block.own, block.own).add_(1 - self.among.at_zero)
        return among, self.step.sums(block.scores, block.own)

    def pull_back(self, block: Block, grads: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The closed form, by the slopes of the steps."""
        at_among, at_above = grads
        assert isinstance(self.step, SlopedStep)
        at_scores, at_own = self.step.pull_back(block.scores, block.own, at_above)
        if isinstance(self.among, SlopedStep):
            at_own = at_own + sum(self.among.pull_back(block.own, block.own, at_among), torch.zeros_like(at_own))
        return at_scores, at_own
