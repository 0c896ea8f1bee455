"""Placed digits: images that come with a dependency, so that a first run downloads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import map_coordinates, zoom
from torch import Tensor

from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.draws import Draws, ViewDraws
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.options import Ge, Gt, Le

_CLASSES = tuple("0123456789")
_SOURCE = 8
"""Side of scikit-learn's digits."""
_FINE = 4
"""Each source pixel is first interpolated to this many, so that strokes are smooth once enlarged."""
_HELD_OUT = 0.25
"""Share of each class that is the test, and of the other digits the validation."""
_RENDER_AT_ONCE = 512
_LUMA = np.array([0.299, 0.587, 0.114])
"""Brightness of red, green and blue (ITU-R BT.601)."""

_CONTRAST = 0.35
"""Smallest difference of brightness between digit and background."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Part = Literal["train", "test", "fit", "validation"]
Share = Annotated[float, Gt(0), Le(1)]


class PlacedDigits(Dataset):
    """The 1,797 handwritten digits of scikit-learn, each placed at random on a coloured canvas.

    On the bare 8 x 8 digits raw pixels already reach 98 %, so there is nothing to learn. Here each digit gets
    a random position, scale, angle and colours, all a pure function of ``seed`` and of the digit: pixels say
    little, and a representation has to be found. Colours carry no information on the class; the digit is
    always readable (its brightness differs from the background's by at least a third of the range).

    Three quarters of the digits of each class are for training, the others for testing. ``fit`` and ``validation``
    part the training digits once more, three to one, so that settings are chosen without the test. The split is fixed:
    it depends neither on ``seed`` nor on any other option, and all placements of a digit are in one part.

    Image i is placement i % ``placements`` of digit i // ``placements`` of the part, and counts as an image of its own:
    two placements of one digit are two instances of one class. Digits to be recognized are placed once, since another
    placement of the same digit would be found as one more of its class.

    Args:
        part: ``train`` (1,347 digits), ``test`` (450), ``fit`` (1,010 of the first) or ``validation`` (its other 337).
        size: Side of the canvas in pixels.
        seed: Another seed places the same digits elsewhere, in other colours.
        placements: How often each digit is placed, each time differently; to train on.
        rotation: Largest angle in degrees, either way.
        scale: Lowest and highest side of the digit's box, as a share of the canvas's.
        shift: How far from the middle the box may lie, as a share of the way to the canvas's edge.
    """

    def __init__(
        self,
        *,
        part: Part,
        size: Annotated[int, Ge(16), Le(256)] = 32,
        seed: Annotated[int, Ge(0)] = 0,
        placements: Annotated[int, Ge(1), Le(64)] = 1,
        rotation: Annotated[float, Ge(0), Le(180)] = 30.0,
        scale: tuple[Share, Share] = (0.4, 0.75),
        shift: Annotated[float, Ge(0), Le(1)] = 1.0,
    ) -> None:
        if scale[0] > scale[1]:
            raise Objection(f"scale is (lowest, highest), got ({scale[0]:g}, {scale[1]:g}); exchange the two")
        if placements > 1 and part in ("test", "validation"):
            raise Objection(
                f"placements is {placements}, but the digits of part {part} are placed once, or other placements of a "
                "digit would be found as others of its class; set `placements: 1`"
            )
        self.part: Part = part
        self.size = size
        self.seed = seed
        self.placements = placements
        self.rotation = rotation
        self.scale = (float(scale[0]), float(scale[1]))
        self.shift = shift
        self.label = LabelSpec(kind="class", classes=_CLASSES)
        self._images = torch.empty(0, 3, size, size, dtype=torch.uint8)
        self._labels: Ints = np.empty(0, np.int64)

    def open(self, context: OpenContext) -> DataReport:
        """Draw all images; well under a second at 32 pixels."""
        from sklearn.datasets import load_digits

        source = load_digits()
        digits = split_digits(source.target, self.part)
        ink = smooth_ink(source.images[digits] / 16.0)
        rows = np.repeat(np.arange(len(digits)), self.placements)
        placement = np.tile(np.arange(self.placements), len(digits))
        images = np.empty((len(rows), 3, self.size, self.size), np.uint8)
        for start in range(0, len(rows), _RENDER_AT_ONCE):
            chunk = slice(start, start + _RENDER_AT_ONCE)
            draws = Draws(self.seed, "placed_digits", 0).at(digits[rows[chunk]], placement[chunk])
            images[chunk] = render(ink[rows[chunk]], draws, self.size, self.rotation, self.scale, self.shift)
            context.progress(min(start + _RENDER_AT_ONCE, len(rows)), len(rows), "placing digits")
        self._images = torch.from_numpy(images)
        self._labels = source.target[digits][rows].astype(np.int64)
        times = f", each placed {self.placements} times" if self.placements > 1 else ""
        note = f"{len(digits):,} handwritten digits of scikit-learn{times} on {self.size}-pixel canvases"
        return DataReport(notes=[note])

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        return Sample(self._images[index], index, label=int(self._labels[index]))

    def batch(self, indices: Sequence[int]) -> Tensor:
        """The images at ``indices``."""
        return self._images[list(indices)]

    def labels(self) -> Ints:
        """[len] the digits."""
        return self._labels

    def sizes(self) -> Ints:
        """[len, 2] each the side of the canvas."""
        return np.full((len(self), 2), self.size, dtype=np.int64)


def split_digits(target: npt.NDArray[np.int_], part: Part) -> Ints:
    """Numbers of the digit images in ``part``, ascending: a fixed stratified split, the same in every version."""
    digits = np.arange(len(target))
    train, test = _parted(digits, target, "split")
    if part in ("train", "test"):
        return train if part == "train" else test
    fit, validation = _parted(train, target[train], "validation")
    return fit if part == "fit" else validation


def _parted(digits: Ints, target: npt.NDArray[np.int_], slot: str) -> tuple[Ints, Ints]:
    """Most of the digits of each class, and the others; by a hash of their numbers."""
    order = Draws(0, "placed_digits split", 0).at(digits, 0).uniform(slot)
    out = np.zeros(len(digits), bool)
    for digit in np.unique(target):
        rows = np.flatnonzero(target == digit)
        out[rows[np.argsort(order[rows])][: round(_HELD_OUT * len(rows))]] = True
    return digits[~out], digits[out]


def smooth_ink(digits: Floats) -> Floats:
    """[n, 8, 8] ink in [0, 1] to [n, 32, 32]: cubic interpolation, then a soft threshold against blur."""
    # Interpolation is linear and separable: one small matrix does it for all digits and both axes.
    up = zoom(np.eye(_SOURCE), (_FINE, 1), order=3, mode="grid-constant", grid_mode=True)
    fine = up @ digits @ up.T
    edge = np.clip((fine - 0.25) / 0.4, 0.0, 1.0)
    return np.asarray(edge * edge * (3.0 - 2.0 * edge), dtype=np.float64)


def render(
    ink: Floats, draws: ViewDraws, size: int, rotation: float, scale: tuple[float, float], shift: float
) -> npt.NDArray[np.uint8]:
    """Place each digit on its canvas.

    Args:
        ink: [n, 32, 32] how much of each pixel is covered by the digit, in [0, 1].
        draws: n rows.
        size: Side of the canvas in pixels.
        rotation: Largest angle in degrees, either way.
        scale: Lowest and highest side of the digit's box, as a share of the canvas's.
        shift: How far from the middle the box may lie, as a share of the way to the canvas's edge.

    Returns:
        [n, 3, size, size] images.
    """
    cover = _placed(ink, draws, size, rotation, scale, shift)
    back, front = _colours(draws)
    blend = back[:, :, None, None] + cover[:, None] * (front - back)[:, :, None, None]
    return np.rint(255.0 * blend).astype(np.uint8)


def _placed(
    ink: Floats, draws: ViewDraws, size: int, rotation: float, scale: tuple[float, float], shift: float
) -> Floats:
    """[n, size, size] cover of the canvas: scaled and moved so that the digit's box lies on the canvas, then turned."""
    n, side = len(ink), ink.shape[-1]
    angle = np.deg2rad(draws.uniform("angle", -rotation, rotation))
    height = draws.uniform("scale", *scale) * size
    slack = shift * (size - height) / 2
    centre = size / 2 + draws.uniforms("place", 2, -1.0, 1.0) * slack[:, None]
    grid = np.arange(size) + 0.5
    y, x = np.meshgrid(grid, grid, indexing="ij")
    dy, dx = y - centre[:, 0, None, None], x - centre[:, 1, None, None]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    back = (side / height)[:, None, None]
    rows = (cos * dy - sin * dx) * back + side / 2 - 0.5
    columns = (sin * dy + cos * dx) * back + side / 2 - 0.5
    which = np.broadcast_to(np.arange(n)[:, None, None], rows.shape)
    return np.asarray(map_coordinates(ink, [which, rows, columns], order=1, mode="constant", cval=0.0))


def _colours(draws: ViewDraws) -> tuple[Floats, Floats]:
    """Background and digit, [n, 3] each in [0, 1]: any hues, either one the brighter."""
    gap = draws.uniform("contrast", _CONTRAST, 0.9)
    low = draws.uniform("dark") * (1.0 - gap)
    darker = _of_brightness(draws.uniforms("darker", 3), low)
    brighter = _of_brightness(draws.uniforms("brighter", 3), low + gap)
    swap = draws.chance("swap", 0.5)[:, None]
    return np.where(swap, brighter, darker), np.where(swap, darker, brighter)


def _of_brightness(colour: Floats, brightness: Floats) -> Floats:
    """[n, 3] colours moved towards black or white until they have the given [n] brightness; the hue stays."""
    has = colour @ _LUMA
    down = colour * (brightness / has)[:, None]
    up = 1.0 - (1.0 - colour) * ((1.0 - brightness) / (1.0 - has))[:, None]
    return np.asarray(np.where((brightness < has)[:, None], down, up))
