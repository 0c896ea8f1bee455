"""Balanced assignment of samples to prototypes."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Assign samples to prototypes so that all prototypes are used equally (Cuturi, NeurIPS 2013).

    Starting from exp(scores / epsilon), divide each prototype's column by its sum, then each sample's row by its
    sum, ``iterations`` times. In logarithms, so that no epsilon makes a column vanish.

    Args:
        scores: [n, K] finite; larger is nearer.
        epsilon: Above 0; smaller gives sharper assignments.
        iterations: At least 1; the columns' sums become equal in the limit only.

    Returns:
        [n, K] rows that add up to 1.
    """
    logs = scores / epsilon
    for _ in range(iterations):
        logs = logs - logs.logsumexp(0, keepdim=True)
        logs = logs - logs.logsumexp(1, keepdim=True)
    return logs.exp()
