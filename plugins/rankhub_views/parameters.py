"""What is drawn for each view, on the CPU, from its address alone: its crop box with its 2x3 map, and its colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.draws import ViewDraws

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

TRIES = 10
"""Boxes that are drawn before the fallback, as in torchvision."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How the crop boxes of N views are turned about their middles.

    Attributes:
        angle: [N] radians, clockwise as one sees the box in its image; so the view shows its content turned back.
        images: [N, 2] height and width of the images, beyond whose edges a turned box may reach.
    """

    angle: Floats
    images: Ints

    def rows(self, rows: slice) -> Turn:
        """Those of consecutive views."""
        return Turn(self.angle[rows], self.images[rows])


@dataclass(frozen=True, slots=True)
class Boxes:
    """Crop boxes of N views, in whole pixels of their images.

    Attributes:
        top: [N] first row.
        left: [N] first column.
        height: [N] rows, at least 1.
        width: [N] columns, at least 1.
        flip: [N] whether left and right are exchanged.
        turn: How they are turned; None = all are upright.
    """

    top: Ints
    left: Ints
    height: Ints
    width: Ints
    flip: Bools
    turn: Turn | None = None

    def __len__(self) -> int:
        return len(self.top)

    def rows(self, rows: slice) -> Boxes:
        """The boxes of consecutive views."""
        upright = self.top[rows], self.left[rows], self.height[rows], self.width[rows], self.flip[rows]
        return Boxes(*upright, None if self.turn is None else self.turn.rows(rows))

    def maps(self, size: int) -> Tensor:
        """[N, 2, 3] float64: image to view of ``size`` pixels a side, [x, y, 1] -> [x, y], pixels to pixels."""
        x, y = size / self.width, size / self.height
        maps = np.zeros((len(self), 2, 3))
        maps[:, 0, 0] = np.where(self.flip, -x, x)
        maps[:, 0, 2] = np.where(self.flip, size + self.left * x, -self.left * x)
        maps[:, 1, 1] = y
        maps[:, 1, 2] = -self.top * y
        upright = torch.from_numpy(maps)
        return upright if self.turn is None else compose(self._turned_back(self.turn.angle), upright)

    def _turned_back(self, angle: Floats) -> Tensor:
        """[N, 2, 3]: the image turned about each box's middle so that the box stands upright."""
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = self.left + self.width / 2, self.top + self.height / 2
        rows = [[cos, sin, x - cos * x - sin * y], [-sin, cos, y + sin * x - cos * y]]
        return torch.from_numpy(np.moveaxis(np.array(rows), 2, 0).copy())


def random_boxes(
    draws: ViewDraws, sizes: Ints, scale: tuple[float, float], ratio: tuple[float, float], flip: float
) -> Boxes:
    """Boxes by the law of torchvision's ``RandomResizedCrop``, flipped with probability ``flip``.

    Area uniform in ``scale`` and aspect ratio log-uniform in ``ratio``; the first of ten tries that fits into
    the image counts; if none does, the largest box in the middle whose ratio is allowed.

    ``sizes`` [N, 2]: height and width of each view's image. ``scale`` bounds the share of its area, ``ratio`` width /
    height.
    """
    image_height, image_width = sizes[:, :1], sizes[:, 1:]
    area = image_height * image_width * draws.uniforms("area", TRIES, *scale)
    aspect = np.exp(draws.uniforms("ratio", TRIES, np.log(ratio[0]), np.log(ratio[1])))
    widths = np.rint(np.sqrt(area * aspect)).astype(np.int64)
    heights = np.rint(np.sqrt(area / aspect)).astype(np.int64)
    fits = (widths > 0) & (widths <= image_width) & (heights > 0) & (heights <= image_height)

    rows, first = np.arange(len(sizes)), fits.argmax(axis=1)
    height, width = heights[rows, first], widths[rows, first]
    top = draws.integers("top", sizes[:, 0] - height + 1)
    left = draws.integers("left", sizes[:, 1] - width + 1)

    none = ~fits[rows, first]
    middle = _middle_boxes(sizes, ratio)
    return Boxes(
        top=np.where(none, (sizes[:, 0] - middle[0]) // 2, top),
        left=np.where(none, (sizes[:, 1] - middle[1]) // 2, left),
        height=np.where(none, middle[0], height),
        width=np.where(none, middle[1], width),
        flip=draws.chance("flip", flip),
    )


def _middle_boxes(sizes: Ints, ratio: tuple[float, float]) -> tuple[Ints, Ints]:
    height, width = sizes[:, 0], sizes[:, 1]
    own = width / height
    lower = np.where(own < ratio[0], np.rint(width / ratio[0]).astype(np.int64), height)
    narrower = np.where(own > ratio[1], np.rint(height * ratio[1]).astype(np.int64), width)
    return np.maximum(lower, 1), np.maximum(narrower, 1)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """[N, 2, 3]: the map ``first`` followed by the map ``then``."""
    moved = then[:, :, :2] @ first
    moved[:, :, 2] += then[:, :, 2]
    return moved


Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of N views.

    Attributes:
        boxes: Crop, turn and flip.
        invert: [N] whether the view becomes its negative.
        jitter: [N] whether the colours change.
        factors: [N, 4] brightness, contrast, saturation (factors), hue (share of the circle).
        order: [N, k] the changes that the options leave, by column of ``factors``, first to last.
        grey: [N] whether the view becomes grey.
        blur: [N] whether the view is blurred.
        sigma: [N] standard deviation of the blur in pixels.
    """

    boxes: Boxes
    invert: Bools
    jitter: Bools
    factors: Floats
    order: Ints
    grey: Bools
    blur: Bools
    sigma: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def rows(self, rows: slice) -> Parameters:
        """The parameters of consecutive views."""
        colours = (self.invert[rows], self.jitter[rows], self.factors[rows], self.order[rows])
        return Parameters(self.boxes.rows(rows), *colours, self.grey[rows], self.blur[rows], self.sigma[rows])


@dataclass(frozen=True, slots=True)
class Law:
    """How parameters are distributed; the fields are the options of ``random_views``."""

    ratio: Span
    flip: float
    jitter: tuple[float, float, float, float]
    jitter_p: float
    grey: float
    blur: float
    blur_sigma: Span
    rotation: float = 0.0
    invert: float = 0.0

    def draw(self, draws: ViewDraws, sizes: Ints, scale: Span) -> Parameters:
        """The parameters of N views whose images have the ``sizes`` [N, 2] (height, width)."""
        strength = np.array(self.jitter)
        low = np.array([*np.maximum(0, 1 - strength[:3]), -strength[3]])
        high = np.array([*(1 + strength[:3]), strength[3]])
        active = np.flatnonzero(strength > 0)
        boxes = random_boxes(draws, sizes, scale, self.ratio, self.flip)
        if self.rotation:
            boxes = replace(
                boxes, turn=Turn(np.deg2rad(draws.uniform("rotation", -self.rotation, self.rotation)), sizes)
            )
        return Parameters(
            boxes=boxes,
            invert=draws.chance("invert", self.invert),
            jitter=draws.chance("jitter", self.jitter_p),
            factors=low + draws.uniforms("factors", len(strength)) * (high - low),
            order=active[draws.permutations("order", len(active))],
            grey=draws.chance("grey", self.grey),
            blur=draws.chance("blur", self.blur),
            sigma=draws.uniform("sigma", *self.blur_sigma),
        )
