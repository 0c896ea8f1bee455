"""What stands before the network inside an exported file: from decoded pixels to what the network is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from rankhub import Run


Pixels = Literal["uint8", "float"]

_SMALLEST, _LARGEST = 16, 16384
"""Sides of an image that an exported file takes, in pixels."""

_SEEN = 64
"""The smallest side where the network sees the image as it is: a map of one cell is another graph to torch."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What an exported network takes.

    Attributes:
        takes: ``image``: whole decoded images, resized and cropped inside; ``view``: a crop or a tile, as it is cut.
        pixels: ``uint8``, or ``float`` in [0, 1].
        height: Pixels, where the size is fixed; else None.
        width: As height.
        inside: What is done inside before the network, in words.
        outside: What remains to be done before and after, in words; "" = nothing.
        mean: Whether an image's answer is the mean over its views.
        least: The smallest side that is taken.
        most: The largest.
    """

    takes: Literal["image", "view"]
    pixels: Pixels
    height: int | None
    width: int | None
    inside: str
    outside: str = ""
    mean: bool = False
    least: int = _SMALLEST
    most: int = _LARGEST

    @property
    def shape(self) -> str:
        """Of the input, for people."""
        return f"[n, 3, {self.height or 'H'}, {self.width or 'W'}]"


class Shown(nn.Module):
    """Pixels as the network takes them: [n, 3, H, W] float in [0, 1]."""

    def __init__(self, pixels: Pixels) -> None:
        super().__init__()
        self.unit = 1 / 255 if pixels == "uint8" else 1.0

    def forward(self, images: Tensor) -> Tensor:
        """Scale."""
        return images.float() * self.unit if self.unit == 1.0 else images.float() / 255


class Middle(Shown):
    """The middle of an image, as ``predict: center`` of rankhub_views shows it: one antialiased resample.

    Its sizes are symbols while it is exported, so all is arithmetic on whole numbers and on tensors.
    """

    def __init__(self, pixels: Pixels, size: int, resize: int, interpolation: str) -> None:
        super().__init__(pixels)
        self.size, self.resize, self.cubic = size, resize, interpolation == "bicubic"

    def forward(self, images: Tensor) -> Tensor:
        """[n, 3, size, size] float in [0, 1] of [n, 3, H, W]."""
        height, width = images.shape[-2], images.shape[-1]
        shorter: Any = torch.sym_min(height, width)
        down, across = self._weights(height, shorter), self._weights(width, shorter)
        return torch.matmul(torch.matmul(down, images.float()), (across * self.unit).T).clamp(0, 1)

    def _weights(self, side: int, shorter: int) -> Tensor:
        resized = self.resize * side // shorter
        spare = resized - self.size
        half = spare // 2
        first = half + (spare - 2 * half) * (half - 2 * (half // 2))  # a half is rounded to the even number
        return _resampling(side, resized, first, self.size, self.cubic)


class Aligned(Shown):
    """A whole image at the nearest multiple of a network's stride, as ``predict: whole`` of rankhub_views shows it."""

    def __init__(self, pixels: Pixels, stride: int) -> None:
        super().__init__(pixels)
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """[n, 3, H', W'] float in [0, 1] of [n, 3, H, W]."""
        height, width = images.shape[-2], images.shape[-1]
        down = _resampling(height, self._nearest(height), 0, self._nearest(height), False)
        across = _resampling(width, self._nearest(width), 0, self._nearest(width), False)
        return torch.matmul(torch.matmul(down, images.float()), (across * self.unit).T).clamp(0, 1)

    def _nearest(self, side: int) -> int:
        cells, twice = side // self.stride, 2 * (side % self.stride)
        above = twice // (self.stride + 1)  # 1 where more than a half is left
        even = (twice // self.stride - above) * (cells % 2)  # a half is rounded to the even number
        return (cells + above + even) * self.stride


def _resampling(side: int, resized: int, first: int, count: int, cubic: bool) -> Tensor:
    """[count, side] the share of each pixel of a side in the pixels from ``first`` on, of the side as it is resized.

    The weights of Pillow and of ``interpolate(antialias=True)``: a triangle or a cubic (a = -0.5), as wide as the
    factor by which it shrinks, normalized inside the image.
    """
    step = torch.scalar_tensor(side, dtype=torch.float64) / torch.scalar_tensor(resized, dtype=torch.float64)
    narrow = 1 / step.clamp(min=1)
    centres = (torch.arange(count, dtype=torch.float64) + 0.5) * step * narrow
    start = torch.scalar_tensor(first, dtype=torch.float64) * step
    at = (torch.arange(side, dtype=torch.float64) + 0.5 - start) * narrow
    distance = (at.float()[None, :] - centres.float()[:, None]).abs()
    if cubic:
        far, near = distance.clamp(max=2), distance.clamp(max=1)
        weights = ((-0.5 * far + 2.5) * far - 4) * far + 2 + (near - 1) * (near - 1) * (2 * near - 1)
    else:
        weights = (1 - distance).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def front_of(run: Run, pixels: Pixels, sizes: set[tuple[int, int]]) -> tuple[Shown, Contract]:
    """What stands before a run's network, and what is told of it.

    ``predict`` of rankhub_views is known: ``center`` and ``whole`` are done inside; of ``crops`` and ``tiles``, and of
    every other way to predict, the file takes one view as it is cut. ``sizes``: height and width of the views that the
    run shows its network.
    """
    predict: Mapping[str, Any] = run.recipe.resolved()["predict"]
    use, maps = predict["use"], [spec for spec in run.forward().outputs.values() if spec.kind == "map"]
    if use == "rankhub_views/center":
        size, resize = predict["size"], predict["resize"] or predict["size"]
        inside = f"shorter side to {resize} px, the {size} px in the middle ({predict['interpolation']}, antialiased)"
        front = Middle(pixels, size, resize, predict["interpolation"])
        return front, Contract("image", pixels, None, None, inside)
    if use == "rankhub_views/whole" and predict["max_side"] is None:
        stride = run.network.backbone.spec.map_stride if maps else 0
        least = max(_SEEN, 2 * stride)
        if not stride:
            return Shown(pixels), Contract("image", pixels, None, None, "the whole image as it is", least=least)
        inside = f"sides to the nearest multiple of {stride} px (bilinear, antialiased)"
        return Aligned(pixels, stride), Contract("image", pixels, None, None, inside, least=least)
    height, width = next(iter(sizes)) if len(sizes) == 1 else (None, None)
    if use == "rankhub_views/crops":
        outside = (
            f"cut {predict['count']} squares of {predict['size']} px out of the image, without resizing it, and take "
            "the mean of the answers; rankhub draws their places from the pixels, and other places give a mean that "
            "differs by chance"
        )
        return Shown(pixels), Contract("view", pixels, height, width, "nothing is resized", outside, mean=True)
    least = _SMALLEST if height else _SEEN
    outside = "make the views as the recipe's predict says: " + ", ".join(f"{k}={v}" for k, v in predict.items())
    return Shown(pixels), Contract("view", pixels, height, width, "nothing is resized", outside, least=least)
