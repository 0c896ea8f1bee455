"""When two similarities are equal: the one rule of every rank that is called exact.

A matrix product gives the inner product of two rows with an error that depends on where they stand in it: on the edges
of blocks, the number of threads, the processor. Images that are equal would differ in the last bit, and that bit would
decide their order, and with it an average precision or a vote. So similarities are never compared as they come out:

1. Rows are brought to unit length by :func:`~rankhub_ranking.embeddings.unit_rows`, which takes lengths in float64:
   float32 rows that are equal bit for bit stay so wherever they stand.
2. Inner products are taken in float64, whatever the rows' own precision; their error is of the order of 1e-16.
3. They are rounded to the nearest multiple of :data:`RESOLUTION` = 2^-20, about 1e-6, which float32 holds exactly.
   What is equal then is equal, and each rank says what it makes of equals.

The grid is so much coarser than the error that of 10^9 exact equals about one lies across an edge of it (rounding
float32 products would leave one in ten there). It is also well above the rounding of float32 rows (6e-8), so that the
cosine of copies is 1, and far below what tells images apart. What is not resolved: cosines less than RESOLUTION apart
may count as equal, those further apart never do. At a cosine of 1 that is an angle of 0.08 degrees: an embedding that
moves by 0.14 % of its length. And equal means equal rows: where a network answers copies of an image with rows that
differ in their last bits, an edge of the grid may come to lie between them, unless they are copies of the query itself.

Distances follow the same rule, on a grid of RESOLUTION times the scale of their vectors. A loss whose similarities must
keep their gradient compares them as they are, and takes gaps up to RESOLUTION for none.
"""

from __future__ import annotations

import torch
from torch import Tensor

RESOLUTION = 2.0**-20
"""The grid on which similarities are compared. A power of two: multiples of it are exact, dividing by it too."""


def rounded(values: Tensor, unit: float = 1.0) -> Tensor:
    """The nearest multiples of ``RESOLUTION * unit``.

    Args:
        values: Of any shape, float64: what is rounded must be known far better than the grid.
        unit: A power of two, so that multiples stay exact.

    Returns:
        float64 of the same shape.
    """
    return _round_(values.clone(), RESOLUTION * unit)


@torch.no_grad()
def inner_products(rows: Tensor, others: Tensor) -> Tensor:
    """[m, n] float64 inner products of [m, d] and [n, d], not to be compared before they are :func:`rounded`.

    Rows that are used again are best handed over in float64, which saves converting them.
    """
    return rows.double() @ others.double().T


@torch.no_grad()
def similarities(rows: Tensor, others: Tensor) -> Tensor:
    """Cosines that may be compared with each other: inner products in float64, rounded to multiples of RESOLUTION.

    Args:
        rows: [m, d] of unit length or 0, from :func:`~rankhub_ranking.embeddings.unit_rows`.
        others: [n, d], on the same device.

    Returns:
        [m, n] float32, exact: multiples of RESOLUTION in [-1, 1].
    """
    return _round_(inner_products(rows, others), RESOLUTION).float()


def _round_(values: Tensor, step: float) -> Tensor:
    return values.div_(step).round_().mul_(step)
