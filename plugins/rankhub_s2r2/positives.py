"""Which rows are queries, and which rows each of them should find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rankhub.interfaces.tensors import sent


@dataclass(frozen=True, slots=True)
class Queries:
    """Queries that all have the same number P of positives, so that nothing has to be padded.

    Attributes:
        rows: [n] int64, the row of each query; no row occurs twice.
        positives: [n, P] int64, the rows of its positives.
        include_self: Whether each query is one of its own positives.
    """

    rows: Tensor
    positives: Tensor
    include_self: bool = False


def queries_by_size(
    group: Tensor, include_self: bool = False, only: Tensor | None = None, device: torch.device | None = None
) -> Iterator[Queries]:
    """Every row that shares its ``group`` [N] with another, as a query; one item for each size of group.

    ``only`` [N]: the rows that may be queries; None = all. Any row may be a positive. The queries are found on the CPU,
    where nobody has to wait for them, and lie on ``device``, by default that of the groups.
    """
    device = group.device if device is None else device
    group, only = group.cpu(), None if only is None else only.cpu()
    order = torch.argsort(group, stable=True)
    sizes = torch.unique_consecutive(group[order], return_counts=True)[1]
    starts = sizes.cumsum(0) - sizes
    for size in torch.unique(sizes).tolist():
        if size == 1:
            continue
        position = torch.arange(size)
        members = order[starts[sizes == size, None] + position]  # [groups, size]
        found = position.expand(size, size)
        if not include_self:
            found = found[position != position[:, None]].view(size, size - 1)
        rows, positives = members.flatten(), members[:, found].flatten(0, 1)
        if only is not None:
            kept = only[rows]
            rows, positives = rows[kept], positives[kept]
        if len(rows):
            yield Queries(sent(rows, device), sent(positives, device), include_self)
