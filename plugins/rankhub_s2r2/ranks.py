"""Ranks of the positives of every query, streamed over blocks of queries and recomputed in the backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankhub_s2r2.positives import Queries
from rankhub_s2r2.steps import SlopedStep, Step

_BLOCK_BYTES = {"cpu": 2**22, "cuda": 2**26}
"""Bytes of similarities held at a time, by kind of device: enough for the matrix product to run at full speed."""


def positive_ranks(rows: Tensor, queries: Queries, step: Step, block_bytes: int | None = None) -> tuple[Tensor, Tensor]:
    """How many items stand above each positive, for every query.

    With s_q(j) the inner product of rows q and j, P_q the query's positives and N_q all other rows but q:

        among[q, i] = 1 + Σ_{j in P_q, j != i} H(s_q(j) - s_q(i))
        above[q, i] =     Σ_{j in N_q}         H(s_q(j) - s_q(i))

    ``among`` is R⁺ and ``among + above`` is R of the average-precision losses. The similarities are made in blocks of
    queries and again in the backward, whose gradient is the closed form; between the two only ``rows`` are kept.

    Args:
        rows: [N, d] of unit length, float32 or float64.
        queries: Queries with P positives each.
        step: H. The result has a graph if it is a :class:`SlopedStep`.
        block_bytes: Bytes of similarities held at a time (at least one query's); None = what suits the device.

    Returns:
        ``among`` and ``above``, [n, P] each.
    """
    with torch.autocast(rows.device.type, enabled=False):
        if isinstance(step, SlopedStep):
            among, above = _PositiveRanks.apply(rows, queries, step, block_bytes)
            return among, above
        with torch.no_grad():
            return _forward(rows, queries, step, block_bytes)


def _forward(rows: Tensor, queries: Queries, step: Step, block_bytes: int | None) -> tuple[Tensor, Tensor]:
    among = rows.new_empty(queries.positives.shape)
    above = torch.empty_like(among)
    for block, scores, own in _similarities(rows, queries, block_bytes):
        among[block] = step.sums(own, own)
        above[block] = step.sums(scores, own)
    return among.add_(1 - step.at_zero), above


class _PositiveRanks(torch.autograd.Function):
    """:func:`positive_ranks` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, queries: Queries, step: SlopedStep, block_bytes: int | None
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(rows, queries.rows, queries.positives)
        ctx.step, ctx.block_bytes = step, block_bytes
        return _forward(rows, queries, step, block_bytes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_among: Tensor, grad_above: Tensor) -> tuple[Tensor | None, ...]:
        rows, *queries = ctx.saved_tensors
        queries = Queries(*queries)
        grad = torch.zeros_like(rows)
        with torch.autocast(rows.device.type, enabled=False):
            for block, scores, own in _similarities(rows, queries, ctx.block_bytes):
                at_scores, at_own = ctx.step.pull_back(scores, own, grad_above[block])
                at_own += sum(ctx.step.pull_back(own, own, grad_among[block]))
                at_scores.scatter_(1, queries.positives[block], at_own)
                # A row enters as query and as item: dL/dZ = (G + Gᵀ) Z with G = dL/dS.
                which = queries.rows[block]
                grad.addmm_(at_scores.T, rows[which])
                grad.index_add_(0, which, at_scores @ rows)
        return grad, None, None, None


def _similarities(rows: Tensor, queries: Queries, block_bytes: int | None) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Blocks of queries: which, [m, N] similarities with -inf at the query and its positives, [m, P] the positives'."""
    if block_bytes is None:
        block_bytes = _BLOCK_BYTES.get(rows.device.type, 2**26)
    count = max(1, block_bytes // (len(rows) * rows.element_size()))
    for start in range(0, len(queries.rows), count):
        block = slice(start, start + count)
        which, positives = queries.rows[block], queries.positives[block]
        scores = rows[which] @ rows.T
        own = scores.gather(1, positives)
        scores.scatter_(1, positives, -torch.inf).scatter_(1, which[:, None], -torch.inf)
        yield block, scores, own
