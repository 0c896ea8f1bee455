"""Which views of a batch belong together, by group, and by sample and number of view."""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent


def pairs(ids: Tensor) -> tuple[Tensor, Tensor]:
    """[pairs] the first and [pairs] the second row of all ordered pairs of different rows that share an id."""
    order = torch.argsort(ids, stable=True)
    sizes = torch.unique_consecutive(ids[order], return_counts=True)[1]
    size, start = sizes.repeat_interleave(sizes), (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    position = torch.arange(len(ids), device=ids.device)
    first = position.repeat_interleave(size)
    # Within the run of one first row, count the rows of its id.
    number = torch.arange(len(first), device=ids.device) - (size.cumsum(0) - size)[first]
    second = start[first] + number
    differ = first != second
    return order[first[differ]], order[second[differ]]


def aligned(target: RankTarget) -> Tensor:
    """[n, V] int64 rows of the views: a line a sample that has all V view numbers of the batch, a column a view.

    Both ascend; n = 0 where V is 1, since a view alone has nothing to be aligned with. It is made on the CPU,
    where nobody has to wait for it, and lies on the device of the target.
    """
    device, target = target.index.device, target.on_cpu
    samples, line = torch.unique(target.index, return_inverse=True)
    views, column = torch.unique(target.view, return_inverse=True)
    table = torch.full((len(samples), len(views)), -1, dtype=torch.int64)
    table[line, column] = torch.arange(len(target))
    return sent(table[table.ge(0).all(1) & (len(views) > 1)], device)


def off_diagonal(matrix: Tensor) -> Tensor:
    """Scalar: the sum of squares of a square matrix without its diagonal."""
    return (matrix - torch.diag(matrix.diagonal())).square().sum()
