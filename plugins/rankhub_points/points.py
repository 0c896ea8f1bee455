"""Points that are moved with their image into its views."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.data import LabelKind, LabelSpec
from rankhub.interfaces.order import MovingLabels

NEAR = 1e-6
"""Pixels by which a point may miss an edge by rounding and still count as lying on it."""


@dataclass(frozen=True, slots=True)
class Points(MovingLabels):
    """The points of N views; each has its own number of them.

    A view knows all points of the image it is made from. Those outside it are kept, since what is drawn around a point
    reaches further than the point; ``inside`` tells them apart. A box in the image holds its left and top edge and not
    its right and bottom one, so that of boxes side by side exactly one has a point. A flip does not change which: a
    view that is flipped holds its right (or bottom) edge.

    Attributes:
        values: [P, 2] x and y in pixels of the view; (0, 0) is the view's top left corner.
        counts: [N] int64, how many of the P points each view has, inside and outside.
        inside: [P] bool, whether each lies inside its view.
        extents: [P] size of what stands at each point, in pixels of the view; NaN where unknown.
        sizes: [N, 2] int64, height and width of the views in pixels.
        scales: [N] pixels of the view to one of the image (the root of the areas' ratio).
        flipped: [N, 2] bool, whether x and y run against those of the image.
    """

    values: Tensor
    counts: Tensor
    inside: Tensor
    extents: Tensor
    sizes: Tensor
    scales: Tensor
    flipped: Tensor

    @classmethod
    def of(cls, points: Sequence[npt.NDArray[np.float64]], sizes: Tensor) -> Self:
        """The points of whole images of ``sizes`` [N, 2], height and width; all count as inside.

        ``points`` are N arrays [n, 2] of x and y in pixels, or [n, 3] with the extent too.
        """
        rows = [np.asarray(one, dtype=np.float64) for one in points]
        rows = [row.reshape(len(row), row.shape[1] if row.ndim == 2 else 2) for row in rows]
        padded = [row if row.shape[1] > 2 else np.pad(row, ((0, 0), (0, 1)), constant_values=np.nan) for row in rows]
        together = torch.from_numpy(np.concatenate([np.empty((0, 3)), *padded]))
        return cls(
            values=together[:, :2].contiguous(),
            counts=torch.tensor([len(row) for row in rows], dtype=torch.int64),
            inside=torch.ones(len(together), dtype=torch.bool),
            extents=together[:, 2].contiguous(),
            sizes=sizes,
            scales=torch.ones(len(rows), dtype=torch.float64),
            flipped=torch.zeros((len(rows), 2), dtype=torch.bool),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, one after the other."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[Tensor]:
        """[n, 2] of each view in turn: the points inside it."""
        for values, inside in zip(self._of_rows(self.values), self._of_rows(self.inside), strict=True):
            yield values[inside]

    def numbers(self) -> Tensor:
        """[N] int64, how many points lie inside each view."""
        return torch.bincount(self.owner[self.inside], minlength=len(self))

    def numbers_in_cells(self, height: int, width: int) -> Tensor:
        """[N, height, width] int64, how many points lie inside each view and in each cell of an even grid over it.

        A cell holds the same of its edges as its view does, so that the grid of a flipped view is the flipped grid.
        """
        owner, values = self.owner[self.inside], self.values[self.inside]
        edge, flipped = self.sizes[owner].flip(1).to(values.dtype), self.flipped[owner]  # width and height
        cells = self.sizes.new_tensor([width, height])
        from_closed = torch.where(flipped, edge - values, values)
        at = ((from_closed + NEAR) * cells / edge).floor().to(torch.int64).clamp(min=0).minimum(cells - 1)
        at = torch.where(flipped, cells - 1 - at, at)
        flat = (owner * height + at[:, 1]) * width + at[:, 0]
        return torch.bincount(flat, minlength=len(self) * height * width).view(len(self), height, width)

    @property
    def owner(self) -> Tensor:
        """[P] int64, the row of each point."""
        return torch.repeat_interleave(torch.arange(len(self), device=self.counts.device), self.counts)

    def rows(self, rows: Tensor) -> Self:
        """The points of the given rows (integers), in their order; a row may be taken more than once."""
        start = self.counts.cumsum(0) - self.counts
        counts = self.counts[rows]
        first = counts.cumsum(0) - counts
        shift = torch.repeat_interleave(start[rows] - first, counts)
        picked = torch.arange(len(shift), device=shift.device) + shift
        return type(self)(
            values=self.values[picked],
            counts=counts,
            inside=self.inside[picked],
            extents=self.extents[picked],
            sizes=self.sizes[rows],
            scales=self.scales[rows],
            flipped=self.flipped[rows],
        )

    def each(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The points of what ``change`` makes of each part."""
        return type(self)(*(change(getattr(self, name)) for name in self.__slots__))

    def moved(self, maps: Tensor, sizes: Tensor) -> Self:
        """The points in views of these views; one that lies outside stays outside, whatever becomes of it.

        ``maps`` [N, 2, 3] lead from the present view to the new one, pixels to pixels: scaled and moved, perhaps
        flipped or turned; a turned view holds its own left and top edge, beyond 90 degrees the right and bottom one.
        ``sizes`` [N, 2] are height and width of the new views.
        """
        device, dtype = self.values.device, self.values.dtype
        maps, sizes = maps.to(device=device, dtype=dtype), sizes.to(device)
        owner = self.owner
        values = (maps[owner, :, :2] @ self.values[:, :, None])[:, :, 0] + maps[owner, :, 2]
        edge = sizes[owner].flip(1).to(dtype)  # width and height
        turned = torch.stack([_leading(maps[:, 0, :2]), _leading(maps[:, 1, :2])], dim=1) < 0
        flipped = self.flipped ^ turned
        from_closed = torch.where(flipped[owner], edge - values, values)
        inside = self.inside & ((from_closed >= -NEAR) & (from_closed < edge - NEAR)).all(dim=1)
        zoom = torch.linalg.det(maps[:, :, :2]).abs().sqrt()
        return type(self)(
            values=values,
            counts=self.counts,
            inside=inside,
            extents=self.extents * zoom[owner],
            sizes=sizes,
            scales=self.scales * zoom,
            flipped=flipped,
        )

    def _of_rows(self, values: Tensor) -> tuple[Tensor, ...]:
        return torch.split(values, self.counts.tolist())


@dataclass(frozen=True, slots=True)
class PointLabels(LabelSpec):
    """What labels are that are points, [n, 2] or [n, 3] an image as in :class:`rankhub.interfaces.data.Sample`."""

    kind: LabelKind | None = "points"

    def moving(self, labels: Sequence[Any], sizes: Tensor) -> Points:
        """The points of whole images."""
        return Points.of(labels, sizes)


def _leading(columns: Tensor) -> Tensor:
    """[N] the first of the two entries of a row that is not 0."""
    return torch.where(columns[:, 0] != 0, columns[:, 0], columns[:, 1])
