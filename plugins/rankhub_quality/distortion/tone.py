"""Changes of brightness, contrast, the number of tones, and colour."""

from __future__ import annotations

import numpy as np
from PIL import Image

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


PALETTE_SIDE = 128
"""The palette is made from at most so many rows and columns: eight times faster, and dithered as closely to .6 dB."""


def saturation(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Chroma scaled, luminance kept: Y + s (I - Y), which is s times Cb and Cr; clipped.

    At 0 the image is grey, below 0 its colours turn into their complements. A grey image does not change.

    Source: supplement, section 3 (TID2013 type 18). The strength is the factor s.
    """
    grey = luma(image)[..., None]
    return to_pixels(grey + strength * (image - grey))


def colour_quantisation(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """A palette of the image's own (median cut of a regular sample of its pixels), with Floyd-Steinberg dithering.

    Source: supplement, section 3 (TID2013 type 22). The strength is the number of colours, 2 to 256; a few less may
    come out where a colour of the palette is nobody's nearest.
    """
    picture = Image.fromarray(image)
    sample = picture.copy()
    sample.thumbnail((PALETTE_SIDE, PALETTE_SIDE), Image.Resampling.NEAREST)
    palette = sample.quantize(round(strength), method=Image.Quantize.MEDIANCUT)
    # Only a given palette is dithered to.
    return np.array(picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB"))


def chromatic_aberration(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Red shifted to the right by s pixels and blue by s / 2 (both rounded); the left border's values fill the gap.

    Source: supplement, section 3 (TID2013 type 23). The strength is s, the shift of red in pixels.
    """
    result = image.copy()
    columns = np.arange(image.shape[1])
    for channel, shift in ((0, round(strength)), (2, round(strength / 2))):
        result[..., channel] = image[:, np.maximum(columns - shift, 0), channel]
    return result
