"""Means that do not depend on the order of what is added."""

from __future__ import annotations

import torch
from torch import Tensor


def fixed_point(values: Tensor, most: int) -> tuple[Tensor, float]:
    """Numbers as int64 multiples of a step, whose sums are exact in any order, on any number of threads.

    Args:
        values: Floating point, finite.
        most: No sum of them is larger in size; at least 1.

    Returns:
        The multiples, and the step: the least power of two with which a sum of ``most`` fits.
    """
    step = 2.0 ** (most.bit_length() - 62)
    return values.double().div(step).round_().long(), step


def exact_mean(values: Tensor, dim: int | None = None) -> Tensor:
    """The mean of numbers in [-1, 1], the same bit for bit whatever their order; 0 of none, NaN if one is not finite.

    Args:
        values: Of any shape.
        dim: Along which; None = over all.

    Returns:
        float64.
    """
    if dim is None:
        values, dim = values.flatten(), 0
    count = max(1, values.shape[dim])
    whole, step = fixed_point(values.nan_to_num(0.0, 0.0, 0.0), count)
    return (whole.sum(dim).double() * step / count).where(values.isfinite().all(dim), torch.nan)
