"""Noise that is added to the samples, or takes their place.

Variances are those of an image whose values lie in [0, 1]. Each function draws the same numbers whatever the strength,
so generators in the same state give all levels one field of noise, only scaled (or, for impulses, one that grows).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft
from skimage.color import rgb2ycbcr, ycbcr2rgb

from rankhub_quality.distortion.pixels import Pixels, to_pixels

HIGH_PASS = 0.25
"""Width of the high-pass filter of `high_frequency_noise`, cycles per pixel (0.5 is the highest frequency)."""


def normal(shape: tuple[int, ...], draws: np.random.Generator) -> npt.NDArray[np.float32]:
    """Independent N(0, 1) values."""
    return draws.standard_normal(shape, dtype=np.float32)


def gaussian_noise(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """White Gaussian noise, independent per pixel and channel: I + sqrt(v) N(0, 1), clipped.

    Source: supplement, section 3 (LIVE; TID2013 type 1). The strength is the variance v.
    """
    return to_pixels(image + 255 * math.sqrt(strength) * normal(image.shape, draws))


def colour_noise(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """White Gaussian noise of variance v on Cb and Cr (BT.601, 16 to 240), each on its own; Y is kept.

    Source: supplement, section 3 (TID2013 type 2). Clipping in RGB still moves the luminance a little.
    """
    planes = rgb2ycbcr(image)
    planes[..., 1:] += 255 * math.sqrt(strength) * normal((*image.shape[:2], 2), draws)
    return to_pixels(255 * ycbcr2rgb(planes))


def high_frequency_noise(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """White Gaussian noise after a Gaussian high-pass filter in the Fourier domain, added to each channel.

    The filter is 1 - exp(-f^2 / (2 f0^2)) at the radial frequency f in cycles per pixel, f0 = `HIGH_PASS`. What it
    leaves is scaled to the variance v, so that the strength means the same as for `gaussian_noise`. An image of one
    pixel has no high frequencies and is returned as it is.

    Source: supplement, section 3 (TID2013 type 5); the width of the filter is ours.
    """
    height, width = image.shape[:2]
    response = _high_pass(height, width)
    noise = np.empty(image.shape, dtype=np.float32)
    for channel in range(3):
        spectrum = fft.rfft2(normal((height, width), draws))
        noise[..., channel] = fft.irfft2(spectrum * response, s=(height, width))
    return to_pixels(image + 255 * math.sqrt(strength) * noise)


@lru_cache(maxsize=8)
def _high_pass(height: int, width: int) -> npt.NDArray[np.float32]:
    """[H, W // 2 + 1] response that keeps the variance of white noise at 1 (zeros for one pixel)."""
    squared = fft.fftfreq(height)[:, None] ** 2 + fft.fftfreq(width)[None, :] ** 2
    full = 1 - np.exp(-squared / (2 * HIGH_PASS**2))
    power = float((full**2).mean())
    scaled = full / math.sqrt(power) if power > 0 else full
    half: npt.NDArray[np.float32] = scaled[:, : width // 2 + 1].astype(np.float32)
    half.flags.writeable = False
    return half


def impulse_noise(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Salt and pepper: each sample becomes 0 or 255 with probability d / 2 each, independent per channel.

    Source: supplement, section 3 (TID2013 type 6). The strength is the density d.
    """
    chance = draws.random(image.shape, dtype=np.float32)
    salt = draws.random(image.shape, dtype=np.float32) < 0.5
    return np.where(chance < strength, np.where(salt, np.uint8(255), np.uint8(0)), image)


def multiplicative_noise(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Gaussian noise in proportion to the value: I (1 + sqrt(v) N(0, 1)), clipped, independent per channel.

    Source: supplement, section 3 (TID2013 type 19), which gives variances. The strength is the variance v.
    """
    return to_pixels(image * (1 + math.sqrt(strength) * normal(image.shape, draws)))


PATCH = 5
DISTANCE = 3
FILTERING = 0.8
"""Decay of the weights, in standard deviations of the noise (scikit-image's advice for its fast mode)."""


def denoising(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """Gaussian noise of variance v as in `gaussian_noise`, then non-local means that know v.

    Non-local means (Buades, Coll and Morel 2005; scikit-image's fast mode, patches of 5 x 5, centres up to 3 pixels
    away) stand in for colour BM3D, which no dependency has: both average similar patches, BM3D in a transform's domain.
    The artefacts (smoothed texture, mottled flat areas) are of the same sort, not the same.

    Source: supplement, section 3 (TID2013 type 9). The strength is the variance v.
    """
    if strength <= 0:
        return image.copy()
    # Imported here: it loads much of scikit-image, and no other kind needs it.
    from skimage.restoration import denoise_nl_means

    sigma = math.sqrt(strength)
    noisy = np.clip(image / np.float32(255) + sigma * normal(image.shape, draws), 0, 1)
    height, width = image.shape[:2]
    # scikit-image takes a side of one pixel for no side at all.
    padded = np.pad(noisy, ((0, int(height == 1)), (0, int(width == 1)), (0, 0)), mode="edge")
    clean = denoise_nl_means(
        padded, patch_size=PATCH, patch_distance=DISTANCE, h=FILTERING * sigma, sigma=sigma, channel_axis=-1
    )
    return to_pixels(255 * clean[:height, :width])
