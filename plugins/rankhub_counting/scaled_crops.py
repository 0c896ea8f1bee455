"""Random squares of random size, brought to one size: multi-scale sampling of labeled images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws, ViewDraws
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec, WorkerGenerator
from rankhub.interfaces.options import Ge, Le
from rankhub_counting.squares import Square, cut, followed

Law = Literal["uniform", "log_uniform"]


class ScaledCrops(WorkerGenerator):
    """Cut random squares of random size out of every view and bring them to one size; points move along.

    A network that has to count heads of any size sees each image at many scales. The side is drawn between `smallest`
    and `largest`, or the view's shorter side where that is less; then every place is equally likely. Squares have
    fractional edges.

    Views keep index, kind, level and label of the view they are cut from.

    Source: Liu, van de Weijer, Bagdanov: Leveraging unlabeled data for crowd counting by learning to rank, CVPR 2018
    (multi-scale sampling: a patch of 56 to 448 pixels, brought to 224).

    Args:
        size: Side in pixels to which every square is brought (bilinear, antialiased).
        smallest: Least side of a square in pixels of the view. Images with a shorter side below it are named before
            training.
        largest: Greatest side of a square in pixels of the view.
        law: How sides are spread between both: `uniform`; or `log_uniform`, with every factor of size equally likely.
        count: Squares of each view; further ones are views of the same group and level.
        flip: Probability that left and right are exchanged.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Ge(1)] = 224,
        smallest: Annotated[int, Ge(1)] = 56,
        largest: Annotated[int, Ge(1)] = 448,
        law: Law = "uniform",
        count: Annotated[int, Ge(1)] = 1,
        flip: Annotated[float, Ge(0), Le(1)] = 0.0,
    ) -> None:
        if largest < smallest:
            raise Objection(f"largest is {largest}, less than smallest, which is {smallest}; exchange them")
        self.size, self.smallest, self.largest = size, smallest, largest
        self.law, self.count, self.flip = law, count, flip

    def plan(self, views: ViewSpec) -> ViewSpec:
        """``count`` squares of each view, all of one size."""
        known = [side for _, side in views.sizes if side is not None]
        if known and min(known) < self.smallest:
            raise Objection(f"the views that come in have {min(known)} pixels a side, {self._reason()}")
        total = views.views * self.count
        return ViewSpec(total, views.groups, views.levels, ((total, self.size),), views.kinds)

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """Images with a side below ``smallest``."""
        less: npt.NDArray[np.bool_] = sizes.min(axis=1) < self.smallest
        return (f"are too small: {self._reason()}", less) if less.any() else None

    def apply(self, views: Sequence[View], draws: Draws) -> list[View]:
        """``count`` squares of each view, those of one view together.

        Raises:
            UserError: A view is smaller than ``smallest``.
        """
        found: list[View] = []
        for view in views:
            numbers = view.view * self.count + np.arange(self.count)
            squares = self._squares(view, draws.at(view.index, numbers))
            for number, square in zip(numbers.tolist(), squares, strict=True):
                pixels = cut(view.image, square, self.size)
                moved = followed(view.map, square.map(self.size))
                found.append(View(pixels, view.index, number, view.kind, view.level, moved, view.label, view.meta))
        return found

    def _squares(self, view: View, address: ViewDraws) -> list[Square]:
        height, width = view.image.shape[-2:]
        limit = min(height, width)
        if limit < self.smallest:
            where = view.meta.get("path", f"number {view.index}")
            raise UserError(f"the image {where} has {width} x {height} pixels: {self._reason()}")
        low, high = float(self.smallest), float(min(self.largest, limit))
        if self.law == "log_uniform":
            sides = low * (high / low) ** address.uniform("side")
        else:
            sides = address.uniform("side", low, high)
        lefts, tops = address.uniform("left") * (width - sides), address.uniform("top") * (height - sides)
        flips = address.chance("flip", self.flip)
        rows = (lefts.tolist(), tops.tolist(), sides.tolist(), flips.tolist())
        return [Square(*row) for row in zip(*rows, strict=True)]

    def _reason(self) -> str:
        return f"the least square has {self.smallest}; set a lower `smallest`, or enlarge them beforehand"
