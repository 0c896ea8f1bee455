"""Squares of an image at fractional places, brought to one size, and the maps by which points follow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

Map = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Square:
    """A square of an image; its edges need not lie between pixels.

    Attributes:
        left: x of its left edge, in pixels from the image's left edge.
        top: y of its top edge, in pixels from the image's top edge.
        side: In pixels, above 0.
        flip: Whether left and right are exchanged.
    """

    left: float
    top: float
    side: float
    flip: bool = False

    def map(self, size: int) -> Map:
        """2x3: from the image to the square brought to ``size`` pixels a side, [x, y, 1] -> [x, y]."""
        zoom = size / self.side
        x = (-zoom, (self.left + self.side) * zoom) if self.flip else (zoom, -self.left * zoom)
        return np.array([[x[0], 0.0, x[1]], [0.0, zoom, -self.top * zoom]])


def cut(image: Tensor, square: Square, size: int) -> Tensor:
    """The square's content, resampled bilinearly, with antialiasing where it shrinks.

    Only pixels that the square touches are read, so that nothing from beyond its edge shows in the result.

    [3, size, size] uint8, not sharing memory with ``image`` [3, H, W], inside which the square lies.
    """
    height, width = image.shape[-2:]
    left, top = max(math.floor(square.left), 0), max(math.floor(square.top), 0)
    right = min(math.ceil(square.left + square.side), width)
    bottom = min(math.ceil(square.top + square.side), height)
    window = Image.fromarray(np.ascontiguousarray(image[:, top:bottom, left:right].numpy().transpose(1, 2, 0)))
    # Rounding may put an edge a hair outside, which Pillow refuses.
    box = (
        max(square.left - left, 0.0),
        max(square.top - top, 0.0),
        min(square.left + square.side - left, right - left),
        min(square.top + square.side - top, bottom - top),
    )
    pixels = np.array(window.resize((size, size), Image.Resampling.BILINEAR, box))
    if square.flip:
        pixels = pixels[:, ::-1]
    # A copy: of one column, reversed, numpy keeps the negative stride, which torch refuses.
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def followed(first: Map, then: Map) -> Map:
    """2x3: the map ``first`` and after it the map ``then``."""
    moved: Map = then[:, :2] @ first
    moved[:, 2] += then[:, 2]
    return moved
