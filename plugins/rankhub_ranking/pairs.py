"""Which views have a partner, and the comparable pairs among views, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 1 << 20
"""Candidate pairs that are looked at together."""


def numbered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Ids [N] as numbers from 0, and [number of ids] how many rows have each."""
    _, which, sizes = torch.unique(ids, return_inverse=True, return_counts=True)
    return which, sizes


def has_partner(group: Tensor) -> Tensor:
    """[N] bool, which rows share their group ([N] integers in any order) with another row."""
    which, sizes = numbered(group)
    return torch.gt(sizes[which], 1)


def ordered_pairs(owner: Tensor, level: Tensor, block: int = BLOCK) -> Iterator[tuple[Tensor, Tensor]]:
    """Each pair of rows of one owner of which one ranks above the other, once.

    Args:
        owner: [N] int64; rows of different owners are not comparable.
        level: [N] or [N, K]; a ranks above b if a >= b in every column and > in one.
        block: Bounds the memory: candidates that are compared at a time.

    Yields:
        (upper, lower): [p] int64 each, rows of the given order.
    """
    if not len(owner):
        return
    order = torch.argsort(owner, stable=True)
    grouped, levels = owner[order], level[order].reshape(len(owner), -1)
    largest = int(torch.unique_consecutive(grouped, return_counts=True)[1].max())
    if largest < 2:
        return
    step = max(1, block // (largest - 1))
    ahead = torch.arange(1, largest, device=owner.device)
    for start in range(0, len(owner), step):
        first = torch.arange(start, min(start + step, len(owner)), device=owner.device)
        second = first[:, None] + ahead
        inside = second < len(owner)
        second = second.clamp(max=len(owner) - 1)
        inside &= grouped[second] == grouped[first][:, None]
        a, b = inside.nonzero().unbind(1)
        a, b = first[a], second[a, b]
        least, most = (levels[a] >= levels[b]).all(1), (levels[a] <= levels[b]).all(1)
        above, below = least & ~most, most & ~least
        yield order[torch.cat([a[above], b[below]])], order[torch.cat([b[above], a[below]])]
