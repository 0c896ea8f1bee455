"""Singular values of tall matrices, and the smooth rank of a spectrum."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_BLOCK = 4
"""Rows of a block over columns of the matrix: large enough that the triangle adds little work."""


def singular_values(values: Tensor, device: torch.device, *, centre: bool = False) -> Tensor:
    """[min(n, D)] float64 on the CPU, the largest first.

    The rows pass through a QR decomposition block by block, so that no float64 copy of the whole matrix is
    made and, unlike with the Gram matrix, small singular values are exact too.

    Args:
        values: [n, D], finite.
        device: Where to compute.
        centre: Take the mean row off first.
    """
    width = values.shape[1]
    shift = values.mean(dim=0, dtype=torch.float64).to(device) if centre else 0.0
    triangle = torch.empty((0, width), dtype=torch.float64, device=device)
    for block in torch.split(values, max(_BLOCK * width, 1024)):
        rows = torch.cat([triangle, block.to(device, torch.float64) - shift])
        triangle = torch.linalg.qr(rows, mode="r").R
    found: Tensor = torch.linalg.svdvals(triangle)
    return found.cpu()


def smooth_rank(weights: Tensor, eps: float) -> float:
    """exp(-sum_k p_k ln p_k) with p_k = w_k / sum_j w_j + eps; 0 where all weights are 0.

    The exponential of the entropy of the normalised spectrum (Roy and Vetterli, EUSIPCO 2007): r equal weights
    give r.

    Args:
        weights: [K] float64, not negative.
        eps: Added to each share.
    """
    total = float(weights.sum())
    if total == 0:
        return 0.0
    return math.exp(float(torch.special.entr(weights / total + eps).sum()))
