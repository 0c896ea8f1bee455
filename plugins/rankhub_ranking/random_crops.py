"""Random square crops of views in their own pixels, each view's independent of the others'."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec, WorkerGenerator
from rankhub.interfaces.options import Ge, Le

Pixels = npt.NDArray[np.uint8]


class RandomCrops(WorkerGenerator):
    """Cut a random square out of every view, without resizing, since that would change an image's quality.

    Every place is equally likely, the last row and column included (the released code leaves them out). The crops of
    views that are compared are not aligned: with whole images or the same place in both, a network tells a pair apart
    without learning to score it, and the ranking loss falls to 0 in a few hundred steps.

    Views keep index, kind, level and label of the view they are cut from; points move along.

    Source: Liu, van de Weijer, Bagdanov: RankIQA, ICCV 2017 (one crop of 224 pixels of each image).

    Args:
        size: Side of a crop in pixels.
        count: Crops of each view; further ones are views of the same group and level.
        small: What happens with a view that has a side below `size`: `error`: a sentence, before training; `enlarge`:
            its shorter side is brought to `size` (bilinear), keeping its proportions, which blurs it.
        flip: Probability that left and right are exchanged.
        fixed: Whether crops follow from a view's pixels, its number and the epoch alone, and not from the seed: then an
            image has the same ones in every data set, run, fold and round of labeling, and the features of a `frozen`
            backbone are computed once for all. With a stream's `draws` they come again.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, Ge(1)],
        count: Annotated[int, Ge(1)] = 1,
        small: Literal["error", "enlarge"] = "error",
        flip: Annotated[float, Ge(0), Le(1)] = 0.0,
        fixed: bool = False,
    ) -> None:
        self.size, self.count, self.small, self.flip, self.fixed = size, count, small, flip, fixed

    def plan(self, views: ViewSpec) -> ViewSpec:
        """``count`` crops of each view, all of one size."""
        known = [side for _, side in views.sizes if side is not None]
        if self.small == "error" and known and min(known) < self.size:
            raise Objection(f"the views that come in have {min(known)} pixels, the crop {self.size}; {_REMEDY}")
        total = views.views * self.count
        return ViewSpec(total, views.groups, views.levels, ((total, self.size),), views.kinds)

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """Images with a side below ``size``, unless they are enlarged."""
        less: npt.NDArray[np.bool_] = sizes.min(axis=1) < self.size
        if self.small == "enlarge" or not less.any():
            return None
        return f"are smaller than the crop of {self.size} pixels; {_REMEDY}", less

    def apply(self, views: Sequence[View], draws: Draws) -> list[View]:
        """``count`` crops of each view, those of one view together. Only a crop's own pixels are read.

        Raises:
            UserError: A view is smaller than the crop, and ``small`` is ``error``.
        """
        size, count = self.size, self.count
        shapes = np.repeat([self._enlarged(view) for view in views], count, axis=0)
        numbers = np.array([view.view * count + crop for view in views for crop in range(count)])
        of = [_content(view.image.numpy()) if self.fixed else view.index for view in views]
        draws = Draws(0, "random_crops", draws.epoch) if self.fixed else draws
        address = draws.at(np.repeat(of, count), numbers)
        tops = address.integers("top", shapes[:, 0] - size + 1).tolist()
        lefts = address.integers("left", shapes[:, 1] - size + 1).tolist()
        flips = address.chance("flip", self.flip).tolist() if self.flip else [False] * len(numbers)

        found: list[View] = []
        for row, view in enumerate(views):
            image = view.image.numpy()
            height, width = shapes[row * count].tolist()
            scale = (1.0, 1.0)
            if image.shape[1:] != (height, width):
                scale = (width / image.shape[2], height / image.shape[1])
                image = _resized(image, height, width)
            for one in range(row * count, (row + 1) * count):
                top, left, flip = tops[one], lefts[one], flips[one]
                window = image[:, top : top + size, left : left + size]
                # A copy, so that neither the whole image nor the file behind it is kept alive.
                pixels = torch.from_numpy((window[:, :, ::-1] if flip else window).copy())
                moved = _moved(view.map, scale, top, left, size if flip else None)
                found.append(
                    View(pixels, view.index, int(numbers[one]), view.kind, view.level, moved, view.label, view.meta)
                )
        return found

    def _enlarged(self, view: View) -> tuple[int, int]:
        """Height and width of the view from which crops are cut."""
        height, width = view.image.shape[-2:]
        shorter = min(height, width)
        if shorter >= self.size:
            return height, width
        if self.small == "error":
            where = view.meta.get("path", f"number {view.index}")
            raise UserError(
                f"the image {where} has {width} x {height} pixels, less than the crop of {self.size}; {_REMEDY}"
            )
        return self.size * height // shorter, self.size * width // shorter


_REMEDY = "set a smaller `size`, or `small: enlarge`, which blurs them"


def _content(image: Pixels) -> int:
    """A number made of an image's size and every 16th of its rows: reading them all would take longer than a crop."""
    digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=8)
    digest.update(np.ascontiguousarray(image[:, ::16]).data)
    return int.from_bytes(digest.digest(), "little", signed=True)


def _resized(image: Pixels, height: int, width: int) -> Pixels:
    """[3, height, width]: bilinear, antialiased."""
    pixels = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    return np.asarray(pixels.resize((width, height), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def _moved(
    source: npt.NDArray[np.float64], scale: tuple[float, float], top: int, left: int, flipped: int | None
) -> npt.NDArray[np.float64]:
    """The 2x3 map to a crop, given that to the view it is cut from; ``flipped`` is the crop's width, or None."""
    moved: npt.NDArray[np.float64] = source * np.array([[scale[0]], [scale[1]]])
    moved[0, 2] -= left
    moved[1, 2] -= top
    if flipped is not None:
        moved[0] *= -1
        moved[0, 2] += flipped
    return moved
