"""The order as data: what each view is, and how the views of a batch are ranked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from rankhub.interfaces.points import Points

Label = Tensor | Points
"""[N] numbers (class, int64, -1 where missing; or score, float, NaN where missing), or points."""


@dataclass(frozen=True, slots=True)
class RankTarget:
    """What the N views of a batch are and how they are ranked. One row a view.

    Inside a group, a ranks above b if ``level[a] >= level[b]`` in every column and ``>`` in one; equal levels
    mean no order. Views of different groups are not ordered by level; a retrieval loss takes the views of a
    query's own group as its positives.

    Attributes:
        index: [N] int64, which sample. A sample occurs in one batch once (with all its views).
        view: [N] int64, which view of that sample.
        group: [N] int64, one id for each (sample, kind of change), unique across processes.
        level: [N] or [N, K] float32; graded relevance takes levels in [0, 1].
        label: [N] numbers, points that moved with the view, or None.
        kind: [N] int64, which kind of change: (index, kind) makes the group. None means that all are of one kind.

    Raises:
        ValueError: The rows of the fields differ in number, or an id is not int64.
    """

    index: Tensor
    view: Tensor
    group: Tensor
    level: Tensor
    label: Label | None = None
    kind: Tensor | None = None

    def __post_init__(self) -> None:
        n = len(self.index)
        for name in ("index", "view", "group"):
            ids = getattr(self, name)
            if ids.shape != (n,) or ids.dtype != torch.int64:
                raise ValueError(f"RankTarget.{name} must be int64 of shape [{n}], got {ids.dtype} {list(ids.shape)}")
        if self.level.ndim not in (1, 2) or len(self.level) != n:
            raise ValueError(f"RankTarget.level must be [{n}] or [{n}, K], got {list(self.level.shape)}")
        for name in ("label", "kind"):
            part = getattr(self, name)
            if part is not None and len(part) != n:
                raise ValueError(f"RankTarget.{name} has {len(part)} rows, the target {n}")

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device) -> Self:
        """The same target on ``device``."""
        return self.each(lambda part: part.to(device))

    def rows(self, rows: Tensor) -> Self:
        """The given rows (integers), in their order."""
        return self.each(lambda part: part.rows(rows) if isinstance(part, Points) else part[rows])

    def each(self, change: Callable[[Label], Any]) -> Self:
        """The target of what ``change`` makes of each part that is there."""
        parts: list[Any] = [getattr(self, name) for name in self.__slots__]
        changed: list[Any] = [None if part is None else change(part) for part in parts]
        return type(self)(*changed)
