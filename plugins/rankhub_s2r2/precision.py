"""Average precision of every query, with any step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rankhub_ranking.sums import exact_mean
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.ranks import positive_ranks
from rankhub_s2r2.steps import Heaviside, Step, Window


def query_precision(
    rows: Tensor, queries: Queries, step: Step, block_bytes: int | None = None, *, among: Step | None = None
) -> Tensor:
    """AP_q = 1/|P_q| Σ_{i in P_q} R⁺(i) / R(i), with the ranks of :func:`~rankhub_s2r2.ranks.positive_ranks`.

    Args:
        rows: [N, d] of unit length.
        queries: n queries with P positives each.
        step: H of the ranks; the result has a gradient if the step has a slope.
        block_bytes: Bytes of similarities held at a time; None = what suits the device.
        among: The step among positives; None = ``step``.

    Returns:
        [n] in (0, 1].
    """
    counted, above = positive_ranks(rows, queries, step, block_bytes, among=among)
    return (counted / (counted + above)).mean(1)


def average_precision(
    rows: Tensor, queries: Sequence[Queries], step: Step, block_bytes: int | None = None
) -> tuple[Tensor, Tensor]:
    """:func:`query_precision` of queries with different numbers of positives, at their rows.

    Args:
        rows: [N, d] of unit length.
        queries: From :func:`~rankhub_s2r2.positives.queries_by_size`; may be empty.
        step: H of the ranks; the result has a gradient if the step has a slope.
        block_bytes: Bytes of similarities held at a time; None = what suits the device.

    Returns:
        [N] precision in (0, 1], 0 at rows that are no query, with a graph also where there is no query at all; and
        [N] bool, which rows are queries.
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
        among, above = positive_ranks(rows, some, Window(width))
        near += (among - 1 + above).sum(dtype=torch.float64)
        pairs += some.positives.numel() * (len(rows) - 2 + some.include_self)
    return (near / max(1, pairs)).to(rows.dtype)
