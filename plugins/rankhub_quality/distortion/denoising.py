"""Noise and its removal, which takes detail along."""

from __future__ import annotations

import math

import numpy as np

from rankhub_quality.distortion.noise import normal
from rankhub_quality.distortion.pixels import Pixels, to_pixels

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
