"""What all distortions share: types, and the way back to whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Pixels: TypeAlias = npt.NDArray[np.uint8]
"""[H, W, 3] RGB, 0 to 255, any size from 1 x 1 up; a grey image has three equal channels."""

Distortion: TypeAlias = Callable[[Pixels, float, np.random.Generator], Pixels]
"""(image, strength, draws) -> a new array of the same shape; the image itself stays as it is."""

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of R, G, B in the luminance of ITU-R BT.601."""


def to_pixels(values: npt.NDArray[np.floating]) -> Pixels:
    """Round to the nearest whole number and clip to 0..255, as MATLAB's ``uint8()`` does."""
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


def luma(image: Pixels) -> npt.NDArray[np.float32]:
    """[H, W] luminance (BT.601, full range, 0 to 255)."""
    return image.astype(np.float32) @ LUMA
