"""Nested crops: a square inside another square cannot hold more people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec, WorkerGenerator
from rankhub.interfaces.options import Ge, Gt, Le
from rankhub_counting.squares import Square, cut, followed

Of = Literal["area", "side"]


class NestedCrops(WorkerGenerator):
    """Squares inside one another, all brought to one size: the smaller the square, the lower the level.

    A point is drawn uniformly in a rectangle in the middle of the image. The largest square around it that stays
    inside the image is the first crop; the others lie around the same point, each smaller than the one before by
    `scale`. One such set is a group, with the level `crops` - 1 for its largest square and 0 for its smallest. Whatever
    is counted, no square can hold more than one that contains it; they may hold equally many. Squares have fractional
    edges, so that they are nested exactly, and so are the maps by which points follow.

    The point stays near the middle, since crops at the border would be tiny, and the far part of a scene sparse.

    Source: Liu, van de Weijer, Bagdanov: Leveraging unlabeled data for crowd counting by learning to rank, CVPR 2018,
    algorithm 1. The text does not say whether `scale` and `anchor` are of areas or of sides; the defaults are those of
    the re-implementation on which one of the authors worked.

    Args:
        crops: Squares of a set, the paper's k.
        scale: How much of a square the next one has, the paper's s.
        scale_of: Whether `scale` is the ratio of the squares' `area` or of their `side`.
        anchor: The rectangle in which the point is drawn is the image divided by this, the paper's r.
        anchor_of: Whether `anchor` divides the image's `area` or each `side` of it.
        size: Side in pixels to which every square is brought (bilinear, antialiased).
        sets: Sets of an image, each around its own point; they are not compared with one another.
        smallest: The least side in pixels that a set's smallest square may have wherever its point lies. Images that
            are too small for that are named before training.
        flip: Probability that left and right are exchanged, for each crop on its own; the order stays the same.
    """

    def __init__(
        self,
        *,
        crops: Annotated[int, Ge(2)] = 5,
        scale: Annotated[float, Ge(0.1), Le(0.99)] = 0.75,
        scale_of: Of = "area",
        anchor: Annotated[float, Gt(1)] = 8.0,
        anchor_of: Of = "area",
        size: Annotated[int, Ge(1)] = 224,
        sets: Annotated[int, Ge(1)] = 1,
        smallest: Annotated[int, Ge(1)] = 32,
        flip: Annotated[float, Ge(0), Le(1)] = 0.0,
    ) -> None:
        self.crops, self.size, self.sets, self.smallest, self.flip = crops, size, sets, smallest, flip
        self.factor = math.sqrt(scale) if scale_of == "area" else scale
        self.share = math.sqrt(1 / anchor) if anchor_of == "area" else 1 / anchor

    def plan(self, views: ViewSpec) -> ViewSpec:
        """``sets`` groups of ``crops`` views each, in order."""
        if views.views != 1:
            raise Objection(
                f"nested_crops takes one view of each image, {views.views} come in; put it first, and for more sets of "
                "an image set its option `sets`"
            )
        side = views.sizes[0][1]
        if side is not None and side < self.needed:
            raise Objection(f"the views that come in have {side} pixels a side, {self._reason()}")
        total = self.sets * self.crops
        kinds = ("nested",) if self.sets == 1 else tuple(f"nested {number}" for number in range(1, self.sets + 1))
        return ViewSpec(total, self.sets, "ordered", ((total, self.size),), kinds)

    @property
    def needed(self) -> int:
        """The least shorter side in pixels of an image whose smallest crop has at least ``smallest`` for any point."""
        return math.ceil(self.smallest / self._least_share - 1e-9)  # rounding must not ask for one more

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """Images whose smallest crop could have less than ``smallest`` pixels a side."""
        less: npt.NDArray[np.bool_] = sizes.min(axis=1) < self.needed
        return (f"are too small: {self._reason()}", less) if less.any() else None

    def apply(self, views: Sequence[View], draws: Draws) -> list[View]:
        """The crops of one image, set by set, each from the largest to the smallest.

        Raises:
            UserError: The image is too small for ``smallest``.
        """
        (view,) = views
        height, width = view.image.shape[-2:]
        if min(height, width) < self.needed:
            where = view.meta.get("path", f"number {view.index}")
            raise UserError(f"the image {where} has {width} x {height} pixels: {self._reason()}")
        around = draws.at(view.index, np.arange(self.sets)).uniforms("anchor", 2, -self.share / 2, self.share / 2)
        numbers = np.arange(self.sets * self.crops)
        flips = draws.at(view.index, numbers).chance("flip", self.flip).tolist()
        found: list[View] = []
        for number, flip in zip(numbers.tolist(), flips, strict=True):
            kind, position = divmod(number, self.crops)
            x, y = around[kind].tolist()
            square = self.square(width, height, (width * (0.5 + x), height * (0.5 + y)), position, flip)
            pixels = cut(view.image, square, self.size)
            moved = followed(view.map, square.map(self.size))
            level = float(self.crops - 1 - position)
            found.append(View(pixels, view.index, number, kind, level, moved, view.label, view.meta))
        return found

    def square(self, width: int, height: int, point: tuple[float, float], position: int, flip: bool = False) -> Square:
        """The square at ``position`` (0 is the largest) of the set around ``point``, x and y in pixels."""
        x, y = point
        half = min(x, y, width - x, height - y) * self.factor**position
        return Square(x - half, y - half, 2 * half, flip)

    @property
    def _least_share(self) -> float:
        """Side of the smallest crop around the least favourable point, to the image's shorter side."""
        return float((1 - self.share) * self.factor ** (self.crops - 1))

    def _reason(self) -> str:
        return (
            f"{self.crops} nested crops need a shorter side of at least {self.needed} for the smallest crop to have "
            f"{self.smallest}; set fewer `crops`, a larger `scale` or `anchor`, or a lower `smallest`"
        )
