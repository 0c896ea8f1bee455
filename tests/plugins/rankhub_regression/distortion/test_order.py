"""Each kind of distortion against measures that must fall with its level, over 20 photos."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft
from skimage.color import rgb2ycbcr
from skimage.metrics import structural_similarity

from rankhub_regression.distortion.kinds import KINDS
from rankhub_regression.distortion.pixels import luma
from rankhub_regression.distortion.sets import LIVE, TID2013

INVERSIONS = 0.05
WITHIN_LIVE = ("gaussian_blur", "jpeg", "jpeg2000")


def psnr(image, variant):
    """dB; the image itself has 78."""
    return 10 * np.log10(255**2 / (np.mean((variant.astype(np.float32) - image) ** 2) + 1e-3))


def ssim(image, variant):
    return structural_similarity(luma(image), luma(variant), data_range=255)


def chroma_psnr(image, variant):
    return psnr(rgb2ycbcr(image)[..., 1:], rgb2ycbcr(variant)[..., 1:])


def calm(image, variant):
    """Negative energy of what was added above a quarter cycle per pixel."""
    added = fft.fft2(luma(variant) - luma(image), norm="ortho")
    radius = np.hypot(fft.fftfreq(image.shape[0])[:, None], fft.fftfreq(image.shape[1]))
    return -float((np.abs(added[radius > 0.25]) ** 2).mean())


def sharpness(image, variant):
    """Mean squared difference of neighbouring pixels."""
    values = luma(variant)
    return float((np.diff(values, axis=0) ** 2).mean() + (np.diff(values, axis=1) ** 2).mean())


def untouched(image, variant):
    """Share of pixels that are as they were."""
    return float((image == variant).all(axis=-1).mean())


def tones(image, variant):
    return sum(len(np.unique(variant[..., channel])) for channel in range(3))


def colours(image, variant):
    return len(np.unique(variant.astype(np.int32) @ (1 << 16, 1 << 8, 1)))


def lightness(image, variant):
    return float(luma(variant).mean())


def darkness(image, variant):
    return -lightness(image, variant)


def contrast(image, variant):
    return float(luma(variant).std())


def flatness(image, variant):
    return -contrast(image, variant)


def own_colour(image, variant):
    """Chroma along that of the original, which counts as 1."""
    before, after = rgb2ycbcr(image)[..., 1:] - 128, rgb2ycbcr(variant)[..., 1:] - 128
    return float((before * after).sum() / (before**2).sum())


def red_in_place(image, variant):
    """Correlation of red with what it was."""
    return float(np.corrcoef(image[..., 0].ravel(), variant[..., 0].ravel())[0, 1])


FALLS = {
    "gaussian_noise": (psnr, ssim),
    "colour_noise": (chroma_psnr, psnr),
    "high_frequency_noise": (calm, psnr),
    "impulse_noise": (untouched, psnr),
    "multiplicative_noise": (psnr, ssim),
    "quantisation": (tones, psnr),
    "gaussian_blur": (sharpness, psnr),
    "denoising": (psnr, ssim),
    "jpeg": (psnr, ssim),
    "jpeg2000": (psnr, ssim),
    "pattern_noise": (untouched, ssim),
    "colour_blocks": (untouched, ssim),
    "mean_shift_up": (darkness, psnr),
    "mean_shift_down": (lightness, psnr),
    "contrast_up": (flatness, psnr),
    "contrast_down": (contrast, psnr),
    "saturation": (own_colour, chroma_psnr),
    "colour_quantisation": (colours, psnr),
    "chromatic_aberration": (red_in_place, ssim),
}
"""Kind -> what must fall from the pristine image to the strongest level."""

SETS = [
    *(pytest.param(levels, id=f"live-{levels.kind}") for levels in LIVE),
    # Of TID2013, blur and both codecs have the first four levels of LIVE.
    *(pytest.param(levels, id=f"tid2013-{levels.kind}") for levels in TID2013 if levels.kind not in WITHIN_LIVE),
]


def check_order(levels, photos):
    """Each level has draws of its own: the order must not rest on shared noise."""
    values = {measure: np.empty((len(photos), 1 + len(levels.strengths))) for measure in FALLS[levels.kind]}
    for row, photo in enumerate(photos):
        variants = [photo]
        for column, strength in enumerate(levels.strengths):
            variants.append(KINDS[levels.kind].apply(photo, strength, np.random.default_rng([row, column])))
        for measure, table in values.items():
            table[row] = [measure(photo, variant) for variant in variants]
    for measure, table in values.items():
        means = table.mean(axis=0)
        assert (np.diff(means) < 0).all(), f"{measure.__name__} of {levels.kind} in the mean: {means}"
        inverted = (np.diff(table, axis=1) >= 0).mean()
        assert inverted <= INVERSIONS, f"{measure.__name__} of {levels.kind}: {inverted:.1%} of the steps do not fall"


def test_every_kind_has_measures():
    assert set(FALLS) == set(KINDS)


@pytest.mark.parametrize("levels", SETS)
def test_measures_fall_with_the_level(levels, photos):
    assert len(photos) == 20
    check_order(levels, photos)


@pytest.mark.parametrize("levels", SETS)
def test_measures_fall_with_the_level_on_other_photos(levels, real_photos):
    # JPEG 2000 needs the larger piece for its greatest ratios; the others are faster on a smaller one.
    side = 192 if levels.kind == "jpeg2000" else 112
    check_order(levels, [photo[:side, :side] for photo in real_photos])


def test_levels_of_tid2013_within_live():
    live = {levels.kind: levels.strengths for levels in LIVE}
    for levels in TID2013:
        if levels.kind in WITHIN_LIVE:
            assert live[levels.kind][: len(levels.strengths)] == levels.strengths
