"""Embeddings as rows of unit length, in a precision that ranks can be taken in."""

from __future__ import annotations

import torch
from torch import Tensor


def unit_rows(embeddings: Tensor) -> Tensor:
    """The rows of a matrix, each divided by its length, so that inner products are cosines.

    Half precision is raised to float32: rounding cosines to bfloat16 turns the gradient of a rank loss by several
    per cent. float64 stays. A row of length zero stays zero and its gradient finite (that of an undivided row).

    Args:
        embeddings: [N, d] floating point.

    Returns:
        [N, d] float32 or float64, with a graph.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        return rows / torch.where(length > torch.finfo(rows.dtype).tiny, length, torch.ones_like(length))
