"""Embeddings in a precision, and at a length, that a loss can be taken in."""

import torch
from torch import Tensor


def full_precision(values: Tensor) -> Tensor:
    """float64 as it is, everything else as float32.

    Rounding cosines to bfloat16 turns the gradient of a rank loss by several per cent, so losses raise what a network
    under mixed precision hands them.
    """
    return values if values.dtype == torch.float64 else values.float()


def unit_rows(embeddings: Tensor) -> Tensor:
    """The rows of a matrix [N, d], each divided by its length, so that inner products are cosines.

    In float32 or float64, also inside autocast. Lengths are taken in float64, so that rows that are equal bit for bit
    stay so: in float32 the order of the sum, which may differ with the place of a row, would tell. A row of length zero
    stays zero and its gradient finite (that of an undivided row).
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = full_precision(embeddings)
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True, dtype=torch.float64).to(rows.dtype)
        return rows / torch.where(length > torch.finfo(rows.dtype).tiny, length, torch.ones_like(length))
