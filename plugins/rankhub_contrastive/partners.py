"""Which views of a batch belong together: by group, and by sample and number of view."""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub.interfaces.order import RankTarget


def numbered(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Ids as numbers from 0.

    Args:
        ids: [N] integers in any order.

    Returns:
        [N] the number of each row's id, and [number of ids] how many rows have it.
    """
    _, which, sizes = torch.unique(ids, return_inverse=True, return_counts=True)
    return which, sizes


def pairs(ids: Tensor) -> tuple[Tensor, Tensor]:
    """All ordered pairs of different rows that share an id.

    Args:
        ids: [N] integers in any order; an id may have any number of rows.

    Returns:
        [pairs] the first and [pairs] the second row of each pair; Σ m (m - 1) pairs for ids with m rows.
    """
    order = torch.argsort(ids, stable=True)
    sizes = torch.unique_consecutive(ids[order], return_counts=True)[1]
    size, start = sizes.repeat_interleave(sizes), (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    place = torch.arange(len(ids), device=ids.device)
    first = place.repeat_interleave(size)
    # Within the run of one first row, count the rows of its id.
    number = torch.arange(len(first), device=ids.device) - (size.cumsum(0) - size)[first]
    second = start[first] + number
    differ = first != second
    return order[first[differ]], order[second[differ]]


def aligned(target: RankTarget) -> Tensor:
    """The rows of the views, one line a sample and one column a number of view.

    Args:
        target: Views in any order.

    Returns:
        [n, V] int64: the samples that have every one of the batch's V view numbers, by rising index and view;
        n = 0 where V is 1, since a view alone has nothing to be aligned with.
    """
    samples, line = torch.unique(target.index, return_inverse=True)
    views, column = torch.unique(target.view, return_inverse=True)
    table = torch.full((len(samples), len(views)), -1, dtype=torch.int64, device=target.index.device)
    table[line, column] = torch.arange(len(target), device=target.index.device)
    return table[table.ge(0).all(1) & (len(views) > 1)]
