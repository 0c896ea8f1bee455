"""Numbers taken from the similarities of every query, streamed over blocks of queries.

No loss here holds the N x N similarities: it says what it takes from those of a block of queries, and how a gradient at
that flows back to them (:class:`Statistic`). :func:`streamed` does the rest, making the blocks again in the backward.
:func:`streamed_sum` makes each block once: of a sum over queries the gradient is known, but for one factor, while the
block is there (a :class:`SummedLoss`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rankhub_ranking.similarity import similarities
from rankhub_s2r2.positives import Queries

_BLOCK_BYTES = {"cpu": 2**22, "cuda": 2**26}
"""Bytes of similarities held at a time, by kind of device: enough for the matrix product to run at full speed."""


@dataclass(frozen=True, slots=True)
class Block:
    """The similarities of m of the queries to all N rows.

    Attributes:
        at: Which of the queries.
        scores: [m, N], -inf at the query and at its positives, so that what remains are its negatives. In the
            precision of the rows; rounded by the rule of :mod:`rankhub_ranking.similarity` for a statistic that
            is ``exact``.
        own: [m, P], those of its positives.
    """

    at: slice
    scores: Tensor
    own: Tensor


class Statistic(ABC):
    """What a loss takes from the similarities of each query."""

    sloped: bool = True
    """Whether it has a gradient."""
    exact: bool = False
    """Whether it compares similarities with each other, so that equal ones must be equal wherever they stand."""

    @abstractmethod
    def values(self, block: Block) -> tuple[Tensor, ...]:
        """The numbers: tensors [m, ...], in the precision of the similarities."""

    def pull_back(self, block: Block, grads: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The gradient at the similarities, given the gradient at each of the values.

        Args:
            block: As handed to :meth:`values`. Its tensors may be overwritten.
            grads: As what :meth:`values` returned.

        Returns:
            [m, N] at ``scores``, of no account where these are -inf; and [m, P] at ``own``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradient")


class SummedLoss:
    """One number of each query: the only value of a statistic, or a function of its values.

    Args:
        statistic: What is taken from the similarities; sloped.

    Attributes:
        in_place: Whether the gradient is written over the similarities, which leaves memory for blocks of twice the
            size, with which the products of matrices are faster.
    """

    in_place = False

    def __init__(self, statistic: Statistic) -> None:
        self.statistic = statistic

    def term(self, block: Block, values: tuple[Tensor, ...]) -> Tensor:
        """[m], differentiable in the statistic's ``values`` at the block."""
        (only,) = values
        return only

    def with_gradient(self, block: Block) -> tuple[Tensor, Tensor, Tensor]:
        """[m] the numbers, and the gradient of their sum at the similarities, as :meth:`Statistic.pull_back` gives it.

        The block's tensors may be overwritten.
        """
        values = tuple(value.requires_grad_() for value in self.statistic.values(block))
        with torch.enable_grad():
            terms = self.term(block, values)
            grads = torch.autograd.grad(terms.sum(), values, allow_unused=True, materialize_grads=True)
        return terms.detach(), *self.statistic.pull_back(block, grads)


def streamed(
    rows: Tensor, queries: Queries, statistic: Statistic, block_bytes: int | None = None
) -> tuple[Tensor, ...]:
    """The values of a statistic for every query, with n rows; they have a graph if it is sloped.

    The similarities are made in blocks of queries (``block_bytes`` at a time, at least one query's; None = what suits
    the device) and again in the backward; between the two only ``rows`` [N, d] are kept.
    """
    with torch.autocast(rows.device.type, enabled=False):
        if statistic.sloped:
            values: tuple[Tensor, ...] = _Streamed.apply(rows, queries, statistic, block_bytes)
            return values
        with torch.no_grad():
            return _forward(rows, queries, statistic, block_bytes)


def streamed_sum(rows: Tensor, queries: Queries, objective: SummedLoss, block_bytes: int | None = None) -> Tensor:
    """Scalar with a graph: the sum of an objective over all queries.

    Blocks are as in :func:`streamed`, but each is made once: the gradient [N, d] is taken along with the value, and
    the backward only multiplies it by the gradient at the sum. No gradient is taken where none can be asked for.
    """
    with torch.autocast(rows.device.type, enabled=False):
        if rows.requires_grad and torch.is_grad_enabled():
            total: Tensor = _Sum.apply(rows, queries, objective, block_bytes)
            return total
        with torch.no_grad():
            return _sum(rows, queries, objective, block_bytes)


def _forward(rows: Tensor, queries: Queries, statistic: Statistic, block_bytes: int | None) -> tuple[Tensor, ...]:
    results: tuple[Tensor, ...] = ()
    for block in _blocks(rows, queries, statistic.exact, block_bytes):
        values = statistic.values(block)
        # Written into tensors made once: small ones kept between the blocks would break up the heap.
        results = results or tuple(value.new_empty(len(queries.rows), *value.shape[1:]) for value in values)
        for result, value in zip(results, values, strict=True):
            result[block.at] = value
    return results


def _sum(
    rows: Tensor, queries: Queries, objective: SummedLoss, block_bytes: int | None, grad: Tensor | None = None
) -> Tensor:
    """The sum, its gradient at the rows added to ``grad``."""
    terms = rows.new_empty(len(queries.rows))
    block_bytes = (block_bytes or _block_bytes(rows)) * (1 + objective.in_place)
    for block in _blocks(rows, queries, objective.statistic.exact, block_bytes):
        if grad is None:
            terms[block.at] = objective.term(block, objective.statistic.values(block))
        else:
            terms[block.at], at_scores, at_own = objective.with_gradient(block)
            _add_gradient(grad, rows, queries, block.at, at_scores, at_own)
    return terms.sum()


class _Streamed(torch.autograd.Function):
    """:func:`streamed` with its gradient."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, queries: Queries, statistic: Statistic, block_bytes: int | None
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(rows, queries.rows, queries.positives)
        ctx.statistic, ctx.block_bytes = statistic, block_bytes
        return _forward(rows, queries, statistic, block_bytes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        rows, *queries = ctx.saved_tensors
        queries = Queries(*queries)
        grad = torch.zeros_like(rows)
        with torch.autocast(rows.device.type, enabled=False):
            for block in _blocks(rows, queries, ctx.statistic.exact, ctx.block_bytes):
                at_scores, at_own = ctx.statistic.pull_back(block, tuple(each[block.at] for each in grads))
                _add_gradient(grad, rows, queries, block.at, at_scores, at_own)
        return grad, None, None, None


class _Sum(torch.autograd.Function):
    """:func:`streamed_sum` with its gradient, which is made in the forward."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, queries: Queries, objective: SummedLoss, block_bytes: int | None) -> Tensor:
        grad = torch.zeros_like(rows)
        total = _sum(rows, queries, objective, block_bytes, grad)
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return upstream * grad, None, None, None


def _add_gradient(grad: Tensor, rows: Tensor, queries: Queries, at: slice, at_scores: Tensor, at_own: Tensor) -> None:
    """Carry the gradient at the similarities of a block of queries, which is overwritten, to the rows."""
    which = queries.rows[at]
    at_scores.scatter_(1, which[:, None], 0).scatter_(1, queries.positives[at], at_own)
    # A row enters as query and as item: dL/dZ = (G + Gᵀ) Z with G = dL/dS.
    if len(which) == len(rows) and rows.device.type == "cpu":  # elsewhere the question for the order would wait
        if not torch.equal(which, torch.arange(len(which), device=which.device)):
            at_scores = torch.empty_like(at_scores).index_copy_(0, which, at_scores)
        grad.addmm_(_add_transposed_(at_scores), rows)
    else:
        grad.addmm_(at_scores.T, rows[which])
        grad.index_add_(0, which, at_scores @ rows)


def _add_transposed_(square: Tensor, width: int = 256) -> Tensor:
    """A + Aᵀ in the place of A, by squares that stay in the cache: a second matrix of this size would cost more."""
    for start in range(0, len(square), width):
        one = slice(start, start + width)
        for other in (slice(at, at + width) for at in range(start, len(square), width)):
            both = square[other, one].T.clone(memory_format=torch.contiguous_format).add_(square[one, other])
            square[one, other] = both
            square[other, one] = both.T
    return square


def _block_bytes(rows: Tensor) -> int:
    return _BLOCK_BYTES.get(rows.device.type, 2**26)


def _blocks(rows: Tensor, queries: Queries, exact: bool, block_bytes: int | None) -> Iterator[Block]:
    """Blocks of queries, the similarities of each in memory that the next one uses again."""
    block_bytes = block_bytes or _block_bytes(rows)
    precision = rows.dtype
    if exact:
        rows = rows.double()
    count = max(1, min(len(queries.rows), block_bytes // (len(rows) * rows.element_size())))
    work = None if exact else rows.new_empty(count, len(rows))
    for start in range(0, len(queries.rows), count):
        at = slice(start, start + count)
        which, positives = queries.rows[at], queries.positives[at]
        if work is None:
            scores = similarities(rows[which], rows).to(precision)
        else:
            scores = torch.mm(rows[which], rows.T, out=work[: len(which)])
        own = scores.gather(1, positives)
        scores.scatter_(1, positives, -torch.inf).scatter_(1, which[:, None], -torch.inf)
        yield Block(at, scores, own)
