"""Sorted rows of a matrix and sums along them.

On a CPU NumPy sorts plain numbers with vector instructions, several times as fast as torch, which always sorts indices
with them. Where the indices are wanted, they are packed into the low half of a 64-bit integer whose high half sorts as
the number does.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LOW = 0xFFFFFFFF


def sort(values: Tensor) -> Tensor:
    """[m, n] floating point with ascending rows; ``values`` may be overwritten."""
    if values.device.type != "cpu":
        return values.sort(1).values
    values.numpy().sort(axis=1)
    return values


def argsort(values: Tensor) -> tuple[Tensor, Tensor]:
    """[m, n] with ascending rows, and [m, n] int64 from where each value came.

    Args:
        values: [m, n] float32 or float64, without NaN; n below 2^32.
    """
    if values.device.type != "cpu" or values.dtype != torch.float32:
        ordered, order = values.sort(1)
        return ordered, order
    bits = values.contiguous().view(torch.int32)
    bits = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # the more negative a number, the larger its bits: turn them round
    keys = (bits.long() << 32).bitwise_or_(torch.arange(values.shape[1]))
    keys.numpy().sort(axis=1)
    order = keys.bitwise_and_(_LOW)
    return values.gather(1, order), order


def prefix_sums(values: Tensor) -> Tensor:
    """[m, n + 1] float64: at k the sum of the first k values of the row."""
    sums = torch.zeros(len(values), values.shape[1] + 1, dtype=torch.float64, device=values.device)
    torch.cumsum(values, 1, dtype=torch.float64, out=sums[:, 1:])
    return sums
