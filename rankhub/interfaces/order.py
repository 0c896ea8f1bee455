"""The order as data: what each view is, and how the views of a batch are ranked."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from rankhub.interfaces.tensors import sent


class MovingLabels(ABC):
    """Labels of N views that follow each from its image into the view, such as points: a dataclass of tensors."""

    __slots__ = ()

    @abstractmethod
    def __len__(self) -> int:
        """Number of views."""

    @abstractmethod
    def rows(self, rows: Tensor) -> Self:
        """The labels of the given rows (integers), in their order; a row may be taken more than once."""

    @abstractmethod
    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The labels of what ``change`` makes of each part."""

    @abstractmethod
    def moved(self, maps: Tensor, sizes: Tensor) -> Self:
        """The labels in views of these views.

        ``maps`` [N, 2, 3] lead from the present view to the new one, pixels to pixels; ``sizes`` [N, 2] are height and
        width of the new views.
        """

    @classmethod
    @abstractmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, one after the other."""

    def to(self, device: torch.device) -> Self:
        """The same labels on ``device``."""
        return self.each(lambda part: sent(part, device))


Label = Tensor | MovingLabels
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
    _host: Self | None = field(default=None, init=False, repr=False)  # from which it came to a device

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
        """The same target on ``device``, nobody waiting for it."""
        host = self.on_cpu
        if device.type == "cpu":
            return host
        moved = host.each(lambda part: sent(part, device) if isinstance(part, Tensor) else part.to(device))
        object.__setattr__(moved, "_host", host)
        return moved

    @property
    def on_cpu(self) -> Self:
        """The same on the CPU: there a loss sees which rows belong together without waiting for the device."""
        known = self if self.index.device.type == "cpu" else self._host
        return self.each(lambda part: part.to(torch.device("cpu"))) if known is None else known

    def rows(self, rows: Tensor) -> Self:
        """The given rows (integers), in their order."""
        return self.each(lambda part: part.rows(rows) if isinstance(part, MovingLabels) else part[rows])

    def each(self, change: Callable[[Label], Any]) -> Self:
        """The target of what ``change`` makes of each part that is there."""
        parts: list[Any] = [getattr(self, name) for name in self.__slots__ if name != "_host"]
        changed: list[Any] = [None if part is None else change(part) for part in parts]
        return type(self)(*changed)
