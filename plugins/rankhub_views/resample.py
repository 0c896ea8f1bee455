"""Crop, flip and resize with antialiasing as one resample: two batched matrix products with a view's own weights.

The weights are those of Pillow and of ``torch.nn.functional.interpolate(antialias=True)``: a triangle or a cubic
(a = -0.5) filter, widened by the factor by which the crop shrinks, normalized inside the crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.tensors import sent
from rankhub_views.parameters import Bools, Boxes, Floats, Ints
from rankhub_views.scratch import Scratch

Interpolation = Literal["bilinear", "bicubic"]
REACH: dict[Interpolation, int] = {"bilinear": 1, "bicubic": 2}
"""How far a filter reaches, in pixels of what it resamples or makes, whichever are larger."""


@dataclass(frozen=True, slots=True)
class Window:
    """What N views show of their images along one side.

    Attributes:
        start: [N] where the view begins, in pixels of the image.
        step: [N] pixels of the image to one pixel of the view.
        first: [N] first pixel of the image that may be seen.
        stop: [N] one past the last.
        flip: [N] whether the view runs backwards; None = no view does.
    """

    start: Floats
    step: Floats
    first: Ints
    stop: Ints
    flip: Bools | None = None


def windows(boxes: Boxes, size: int) -> tuple[Window, Window]:
    """Down and across: what crop boxes show in views of ``size`` pixels a side, and nothing beside them."""
    down = Window(boxes.top.astype(float), boxes.height / size, boxes.top, boxes.top + boxes.height)
    across = Window(boxes.left.astype(float), boxes.width / size, boxes.left, boxes.left + boxes.width, boxes.flip)
    return down, across


def resample(
    images: Tensor, down: Window, across: Window, interpolation: Interpolation, out: Tensor, scratch: Scratch
) -> None:
    """Views of images, written to ``out`` in [0, 1].

    The products cost about ``3 * S * W * (H + S)`` multiplications a view. H and W are the sides of the part of
    ``images`` that any of the views may see.

    ``images`` [B, 3, H, W] uint8, or float in [0, 1], may be padded at the right and the bottom. ``down`` and
    ``across`` are the rows and columns that B * V views show, those of an image together; ``out`` [B * V, 3, S, S]
    float32.
    """
    top, left = int(down.first.min()), int(across.first.min())
    part = images[:, :, top : int(down.stop.max()), left : int(across.stop.max())]
    batch, _, height, width = part.shape
    views, size = len(out), out.shape[-1]

    rows = scratch.take("rows", views, size, height)
    _weights(down, top, interpolation, rows)
    weights = scratch.take("weights", views, size, width)
    _weights(across, left, interpolation, weights)
    unit = 1.0 if images.is_floating_point() else 1 / 255
    columns = torch.mul(weights.transpose(1, 2), unit, out=scratch.take("columns", views, width, size))

    # [B, H, 3 * W], so that one product with the weights of all its views resamples an image's rows.
    source = scratch.take("source", batch, height, 3 * width)
    source.view(batch, height, 3, width).copy_(part.transpose(1, 2))
    flat = torch.bmm(
        rows.view(batch, -1, height), source, out=scratch.take("flat", batch, views // batch * size, 3 * width)
    )
    small = scratch.take("small", views, size * 3, size)
    torch.bmm(flat.view(views, size * 3, width), columns, out=small)
    torch.clamp(small.view(views, size, 3, size).transpose(1, 2), 0, 1, out=out)


def _weights(window: Window, origin: int, interpolation: Interpolation, out: Tensor) -> None:
    """The share of each input pixel, from ``origin`` on, in each output pixel: rows of ``out`` [n, outputs, inputs]."""
    _, outputs, inputs = out.shape
    step = window.step[:, None]
    narrow = 1 / np.maximum(step, 1)  # distances are measured in units of the widened filter
    centres = (np.arange(outputs) + 0.5) * step
    if window.flip is not None:
        centres = np.where(window.flip[:, None], centres[:, ::-1], centres)
    pixels = np.arange(origin, origin + inputs)[None, :]
    seen = (pixels >= window.first[:, None]) & (pixels < window.stop[:, None])
    inside = _upload(seen, out.device)[:, None, :]
    at = _upload((pixels + 0.5 - window.start[:, None]) * narrow, out.device)[:, None, :]

    torch.sub(at, _upload(centres * narrow, out.device)[:, :, None], out=out).abs_()
    if interpolation == "bilinear":
        torch.sub(inside, out, out=out).clamp_(min=0)  # 1 - distance where seen, at most 0 elsewhere
    else:
        out.copy_(cubic(out)).mul_(inside)
    out.mul_(out.sum(dim=2, keepdim=True).reciprocal_())


def _upload(numbers: npt.NDArray[Any], device: torch.device) -> Tensor:
    return sent(torch.from_numpy(numbers.astype(np.float32)), device)


def cubic(x: Tensor) -> Tensor:
    """Keys' cubic convolution with a = -0.5 at the distances ``x``.

    1.5 x^3 - 2.5 x^2 + 1 below 1; -0.5 x^3 + 2.5 x^2 - 4 x + 2 below 2; 0 beyond. The first less the second is
    (x - 1)^2 (2 x - 1), which ends flat at 1: so both pieces are one sum of clamped polynomials.
    """
    far, near = x.clamp(max=2), x.clamp(max=1)
    near = (near - 1).square_().mul_(2 * near - 1)
    return ((-0.5 * far + 2.5) * far - 4).mul_(far).add_(2).add_(near)
