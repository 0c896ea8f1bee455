"""Views on their way to the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent

IDENTITY: npt.NDArray[np.float64] = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""The 2x3 map that moves nothing: [x, y, 1] of the source in pixels -> [x, y] of the view in pixels."""


@dataclass(frozen=True, slots=True)
class View:
    """One view inside a worker, before views are stacked.

    Attributes:
        image: [3, H, W] uint8.
        index: Which sample.
        view: Which view of that sample, unique within it.
        kind: Which kind of change; (index, kind) makes the group.
        level: Level inside the group, a number or one number a column.
        map: 2x3 map from the source to this view, pixels to pixels.
        label: The sample's label; points are still the source's and are moved when views are stacked.
        meta: The sample's further facts.
    """

    image: Tensor
    index: int
    view: int = 0
    kind: int = 0
    level: float | tuple[float, ...] = 1.0
    map: npt.NDArray[np.float64] = field(default_factory=lambda: IDENTITY)
    label: Any = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """Views that go through the network together.

    Attributes:
        images: One stack a size, [n, 3, H, W] each: uint8 in 0..255, or float in [0, 1] once a device step
            has made views. Images of unequal size are padded with 0 at the right and the bottom.
        sizes: [N, 2] int64, height and width of each view without the padding.
        maps: [N, 2, 3] float64, from the source to the view, pixels to pixels.
        target: N rows in the order of the stacks, one stack after the other.

    Raises:
        ValueError: The rows of the parts differ in number.
    """

    images: tuple[Tensor, ...]
    sizes: Tensor
    maps: Tensor
    target: RankTarget

    def __post_init__(self) -> None:
        rows = (sum(len(stack) for stack in self.images), len(self.sizes), len(self.maps), len(self.target))
        if len(set(rows)) != 1:
            raise ValueError(f"Batch needs equal rows in images, sizes, maps and target, got {rows}")

    def __len__(self) -> int:
        return len(self.sizes)

    def to(self, device: torch.device) -> Self:
        """The same batch on ``device``, nobody waiting for it. ``sizes`` and ``maps`` stay."""
        images = tuple(sent(stack, device) for stack in self.images)
        return type(self)(images, self.sizes, self.maps, self.target.to(device))

    def rows(self, rows: Tensor) -> Self:
        """The given rows (ascending integers, on the CPU), each still in its stack."""
        images, start = [], 0
        for stack in self.images:
            here = rows[(rows >= start) & (rows < start + len(stack))] - start
            images.append(stack[sent(here, stack.device)])
            start += len(stack)
        target = self.target.on_cpu.rows(rows).to(self.target.index.device)
        return type(self)(tuple(images), self.sizes[rows], self.maps[rows], target)
