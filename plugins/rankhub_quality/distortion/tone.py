"""Changes of brightness, contrast and the number of tones: the same function of the value at every pixel."""

from __future__ import annotations

import numpy as np

from rankhub_quality.distortion.pixels import Pixels, luma, to_pixels

_TONES = np.arange(256, dtype=np.float32)


def mean_shift(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """A constant added to all samples, clipped: I + s.

    Source: supplement, section 3 (TID2013 type 16). The strength is s, of 255; below 0 darkens.
    """
    return to_pixels(_TONES + strength)[image]


def contrast(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """All samples drawn towards (factor below 1) or away from the mean luminance m, clipped: m + c (I - m).

    Source: supplement, section 3 (TID2013 type 17). The strength is the factor c.
    """
    mean = float(luma(image).mean())
    return to_pixels(mean + strength * (_TONES - mean))[image]


def quantisation(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Uniform quantisation of each sample, each step replaced by its middle: q floor(I / q) + q / 2.

    Source: supplement, section 3 (TID2013 type 7: quantisation noise). The strength is the step q, of 255.
    """
    start = strength * np.floor(_TONES / strength)
    # The last step may be cut off at 255; its middle is that of what is left.
    middle = (start + np.minimum(start + strength, 256) - 1) / 2
    return to_pixels(middle)[image]
