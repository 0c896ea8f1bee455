"""Crop, turn, flip and resize with antialiasing as one resample: each pixel of a view is one weighted mean of pixels.

The filter is that of upright views (:mod:`rankhub_views.resample`), a product along the axes of the view, which here
lie askew in the image: for a pixel of the view whose centre is p in the image, and an image's pixel at p + d,

    weight(d) = f((d · e_across) / max(1, step_across)) · f((d · e_down) / max(1, step_down))

with the unit vectors e of the turned axes and the steps in pixels of the image; weights are divided by their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rankhub.interfaces.tensors import sent
from rankhub_views.parameters import Boxes, Floats, Ints, Turn
from rankhub_views.resample import REACH, Interpolation, cubic


@dataclass(frozen=True, slots=True)
class Askew:
    """How the pixels of N turned views lie in their images.

    Attributes:
        turn: The angles, and the sizes of the images.
        middle: [N, 2] x and y of the views' middle, in pixels of the image.
        step: [N, 2] pixels of the image to one of the view, along the view's x (below 0 where it is flipped) and y.
        reach: [N, 2] how far the filter reaches in the image, in pixels along its x and y.
    """

    turn: Turn
    middle: Floats
    step: Floats
    reach: Floats

    @property
    def taps(self) -> tuple[int, int]:
        """How many pixels of an image along its x and its y the filter may span; 1 at least."""
        across, down = np.floor(2 * self.reach.max(axis=0, initial=0.5)).astype(int) + 1
        return int(across), int(down)


def askew(boxes: Boxes, turn: Turn, size: int, interpolation: Interpolation) -> Askew:
    """How the pixels of views of ``size`` pixels a side lie in their images."""
    middle = np.stack([boxes.left + boxes.width / 2, boxes.top + boxes.height / 2], axis=1)
    step = np.stack([boxes.width, boxes.height], axis=1) / size
    wide = REACH[interpolation] * np.maximum(step, 1)
    cos, sin = np.abs(np.cos(turn.angle)), np.abs(np.sin(turn.angle))
    reach = np.stack([cos * wide[:, 0] + sin * wide[:, 1], sin * wide[:, 0] + cos * wide[:, 1]], axis=1)
    step[:, 0] *= np.where(boxes.flip, -1, 1)
    return Askew(turn, middle, step, reach)


def resample_turned(images: Tensor, seen: Askew, interpolation: Interpolation, out: Tensor) -> None:
    """Turned views of images, written to ``out`` in [0, 1].

    Beyond the edge of an image its nearest pixel goes on; padding is never seen.

    Args:
        images: [B, 3, H, W] uint8, or float in [0, 1]; may be padded at the right and the bottom.
        seen: How the pixels of B * V views lie, the views of an image together.
        interpolation: The filter.
        out: [B * V, 3, S, S] float32.
    """
    batch, _, height, width = images.shape
    views, size = len(out), out.shape[-1]
    table = images.permute(0, 2, 3, 1).reshape(-1, 3).float()
    if not images.is_floating_point():
        table /= 255

    angle, middle, step = seen.turn.angle, seen.middle.T, seen.step.T
    cos, sin, middle_x, middle_y, step_x, step_y = _columns(np.cos(angle), np.sin(angle), *middle, *step, like=table)
    offset = torch.arange(size, device=table.device, dtype=torch.float64) + 0.5 - size / 2
    across, down = offset * step_x, (offset * step_y).mT  # [n, 1, S] and [n, S, 1], along the axes of the view
    columns, dx = _taps(middle_x + cos * across - sin * down, seen.reach[:, 0], seen.taps[0], seen.turn.images[:, 1])
    rows, dy = _taps(middle_y + sin * across + cos * down, seen.reach[:, 1], seen.taps[1], seen.turn.images[:, 0])
    start = torch.arange(views, device=table.device).div(views // batch, rounding_mode="floor") * (height * width)
    # Taps come first up to here, since sums over so few numbers at a time are slow: [down, across, n, S, S].
    where = (rows * width + start[:, None, None])[:, None] + columns[None]

    cos, sin, step_x, step_y = (one.float() for one in (cos, sin, step_x, step_y))
    dx, dy = dx[None], dy[:, None]
    narrow_x, narrow_y = (1 / one.abs().clamp(min=1) for one in (step_x, step_y))
    weights = _filter(cos * narrow_x * dx + sin * narrow_x * dy, interpolation)
    weights *= _filter(cos * narrow_y * dy - sin * narrow_y * dx, interpolation)
    weights /= weights.sum((0, 1))
    taps = (one.flatten(2).flatten(0, 1).T.contiguous() for one in (where, weights))
    pixels = F.embedding_bag(next(taps), table, mode="sum", per_sample_weights=next(taps))
    torch.clamp(pixels.view(views, size, size, 3).permute(0, 3, 1, 2), 0, 1, out=out)


def _columns(*numbers: Floats | Ints, like: Tensor) -> list[Tensor]:
    """Each [n] as [n, 1, 1]."""
    return [sent(torch.from_numpy(one), like.device)[:, None, None] for one in numbers]


def _taps(centre: Tensor, reach: Floats, count: int, sides: Ints) -> tuple[Tensor, Tensor]:
    """The pixels along one side of an image that a filter may reach.

    Args:
        centre: [n, S, S] where the filter stands.
        reach: [n] how far it reaches.
        count: How many pixels.
        sides: [n] pixels along that side.

    Returns:
        [count, n, S, S] the pixels, those beyond the image replaced by its nearest, and how far from the centre they
        lie, float32.
    """
    reached, last = _columns(reach, sides - 1, like=centre)
    pixels = torch.ceil(centre - reached - 0.5)
    tap = torch.arange(count, device=centre.device)[:, None, None, None]
    away = (pixels + 0.5 - centre).float() + tap
    return torch.minimum((pixels.long() + tap).clamp_(min=0), last), away


def _filter(distance: Tensor, interpolation: Interpolation) -> Tensor:
    distance = distance.abs_()
    return (1 - distance).clamp_(min=0) if interpolation == "bilinear" else cubic(distance)
