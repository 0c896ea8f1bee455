"""Cosines within a batch, in time linear in its number of rows."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def cosine_parts(rows: Tensor, group: Tensor) -> dict[str, Tensor]:
    """How near positives are, and how all pairs spread; a collapsed network has means of 1 and no spread.

    Sums over pairs come from the sums of the groups and from the d x d matrix ZᵀZ, never from the N x N cosines.

    Args:
        rows: [N, d] of unit length.
        group: [N] integers.

    Returns:
        "positive_cosine", the mean over the pairs within groups (alignment is 2 - 2 of it); "cosine_mean" and
        "cosine_std" over all pairs of different rows. 0 where there is no pair.
    """
    rows = rows.double()
    _, which, sizes = torch.unique(group, return_inverse=True, return_counts=True)
    sums = rows.new_zeros(len(sizes), rows.shape[1]).index_add_(0, which, rows)
    squares = rows.square().sum(1)
    within, pairs = sizes.square().sum() - len(rows), max(1, len(rows) * (len(rows) - 1))
    positive = (sums.square().sum() - squares.sum()) / within.clamp(min=1)
    mean = (rows.sum(0).square().sum() - squares.sum()) / pairs
    second = ((rows.T @ rows).square().sum() - squares.square().sum()) / pairs
    parts = {"positive_cosine": positive, "cosine_mean": mean, "cosine_std": (second - mean**2).clamp(min=0).sqrt()}
    return {name: part.float() for name, part in parts.items()}
