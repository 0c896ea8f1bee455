"""The distortions against their formulas, written out slowly or measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import fft, ndimage
from skimage.color import rgb2ycbcr

from rankhub_quality.distortion import blocks, blur, noise, tone


def draws(seed=0):
    return np.random.default_rng(seed)


def flat(value, height=120, width=140):
    return np.full((height, width, 3), value, np.uint8)


def picture(height=33, width=45, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("sigma", [0.3, 1.2, 6.5, 33.2])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 20), (48, 31), (97, 130)])
def test_blur_is_the_direct_sum(sigma, height, width):
    plane = picture(height, width)[..., 0].astype(np.float32)
    direct = ndimage.gaussian_filter(plane.astype(float), sigma, mode="reflect", truncate=blur.TRUNCATE)
    assert np.abs(blur.smooth(plane.copy(), sigma) - direct).max() < 1e-3


@pytest.mark.parametrize("variance", [0.001, 0.01])
@pytest.mark.parametrize("kind", [noise.gaussian_noise, noise.high_frequency_noise])
def test_variance_of_added_noise(kind, variance):
    added = (kind(flat(128), variance, draws()).astype(float) - 128) / 255
    assert added.var() == pytest.approx(variance, rel=0.03)
    assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.03


def test_high_frequency_noise_has_no_low_frequencies():
    added = noise.high_frequency_noise(flat(128), 0.01, draws())[..., 0].astype(float) - 128
    power = np.abs(fft.fft2(added)) ** 2
    radius = np.hypot(fft.fftfreq(added.shape[0])[:, None], fft.fftfreq(added.shape[1]))
    assert power[radius < 0.05].mean() < 0.01 * power[radius > 0.35].mean()


def test_colour_noise_keeps_luminance():
    before, after = rgb2ycbcr(flat(128)), rgb2ycbcr(noise.colour_noise(flat(128), 0.005, draws()))
    added = (after - before) / 255
    assert added[..., 0].std() < 0.003
    assert added[..., 1].var() == pytest.approx(0.005, rel=0.05)
    assert added[..., 2].var() == pytest.approx(0.005, rel=0.05)


def test_impulses_by_density():
    result = noise.impulse_noise(flat(100), 0.1, draws())
    assert set(np.unique(result)) == {0, 100, 255}
    assert (result == 0).mean() == pytest.approx(0.05, abs=0.004)
    assert (result == 255).mean() == pytest.approx(0.05, abs=0.004)


def test_multiplicative_noise_grows_with_the_value():
    for value in (40, 80):
        result = noise.multiplicative_noise(flat(value), 0.05, draws()).astype(float)
        assert result.std() == pytest.approx(value * math.sqrt(0.05), rel=0.03)


def test_impulses_of_a_larger_density_contain_those_of_a_smaller_one():
    image = picture()
    few, many = (noise.impulse_noise(image, density, draws()) != image for density in (0.05, 0.2))
    assert few.sum() < many.sum()
    assert not (few & ~many).any()


@pytest.mark.parametrize("kind", [blocks.colour_blocks, blocks.pattern_noise])
def test_places_of_a_larger_number_contain_those_of_a_smaller_one(kind):
    # Not the mean colour anywhere, and no value twice within the offset.
    image = np.where(picture(100, 110) < 128, np.uint8(3), np.uint8(250)) ^ picture(100, 110, seed=1) % 4
    few, many = ((kind(image, count, draws()) != image).any(axis=2) for count in (3, 9))
    assert few.sum() < many.sum()
    # Overlapping patches of pattern noise come from the original, so a place once changed stays changed.
    assert not (few & ~many).any()


def test_one_block_is_of_32_pixels_and_the_mean_colour():
    image = picture(90, 70)
    changed = blocks.colour_blocks(image, 1, draws())
    rows, columns = np.nonzero((changed != image).any(axis=2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (32, 32)
    assert np.array_equal(changed[rows[0], columns[0]], np.rint(image.mean(axis=(0, 1))))


def test_one_patch_comes_from_five_pixels_further():
    image = picture(60, 50)
    changed = blocks.pattern_noise(image, 1, draws())
    rows, columns = np.nonzero((changed != image).any(axis=2))
    top, left = rows.min(), columns.min()
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (15, 15)
    assert np.array_equal(changed[top : top + 15, left : left + 15], image[top + 5 : top + 20, left + 5 : left + 20])


def test_patches_and_blocks_reach_every_border():
    image = np.arange(60 * 60 * 3, dtype=np.uint32).reshape(60, 60, 3).astype(np.uint8)
    image[::7] += 11
    for kind, last in ((blocks.colour_blocks, 59), (blocks.pattern_noise, 54)):
        rows, columns = np.nonzero((kind(image, 400, draws()) != image).any(axis=2))
        assert (rows.min(), columns.min()) == (0, 0)
        assert (rows.max(), columns.max()) == (last, last)


def test_mean_shift_saturates():
    image = np.array([[[0, 100, 250]]], np.uint8)
    assert tone.mean_shift(image, 30, draws()).tolist() == [[[30, 130, 255]]]
    assert tone.mean_shift(image, -30, draws()).tolist() == [[[0, 70, 220]]]


def test_contrast_is_about_the_mean():
    image = np.array([[[100] * 3, [140] * 3]], np.uint8)
    assert tone.contrast(image, 0.5, draws())[0, :, 0].tolist() == [110, 130]
    assert tone.contrast(image, 2, draws())[0, :, 0].tolist() == [80, 160]


@pytest.mark.parametrize("step", [1, 27, 76, 255])
def test_quantisation_moves_no_value_by_more_than_half_a_step(step):
    image = np.arange(256, dtype=np.uint8)[:, None, None].repeat(3, axis=2)
    result = tone.quantisation(image, step, draws())
    assert len(np.unique(result)) == math.ceil(256 / step)
    assert np.abs(result.astype(int) - image).max() <= step / 2


def test_saturation_scales_chroma_and_keeps_luminance():
    image = np.random.default_rng(0).integers(100, 156, (20, 20, 3), np.uint8)
    before = rgb2ycbcr(image)
    for factor in (0.4, 0, -0.8):
        after = rgb2ycbcr(tone.saturation(image, factor, draws()))
        assert np.abs(after[..., 0] - before[..., 0]).max() < 0.6
        assert np.abs((after[..., 1:] - 128) - factor * (before[..., 1:] - 128)).max() < 0.6


def test_saturation_leaves_grey_as_it_is():
    image = picture()[..., :1].repeat(3, axis=2)
    assert np.array_equal(tone.saturation(image, -0.8, draws()), image)


@pytest.mark.parametrize("number", [64, 8])
def test_colour_quantisation_counts_its_colours(number, photos):
    result = tone.colour_quantisation(photos[0], number, draws())
    assert 0.9 * number < len(np.unique(result.reshape(-1, 3), axis=0)) <= number


def test_dithering_keeps_local_means(photos):
    """Nearest colours alone would leave the error of each flat part."""
    result = tone.colour_quantisation(photos[8], 8, draws())
    local = [ndimage.uniform_filter(image.astype(float), (9, 9, 0)) for image in (result, photos[8])]
    assert np.abs(local[0] - local[1]).mean() < 0.5 * np.abs(result.astype(float) - photos[8]).mean()


def test_chromatic_aberration_moves_red_and_blue_only():
    image = picture(10, 30)
    result = tone.chromatic_aberration(image, 6, draws())
    assert np.array_equal(result[..., 1], image[..., 1])
    assert np.array_equal(result[:, 6:, 0], image[:, :-6, 0])
    assert np.array_equal(result[:, 3:, 2], image[:, :-3, 2])
    assert (result[:, :6, 0] == image[:, :1, 0]).all()


@pytest.mark.parametrize("variance", [0.005, 0.05])
def test_denoising_removes_most_of_the_noise(variance, photos):
    photo = photos[4].astype(float)
    noisy = noise.gaussian_noise(photos[4], variance, draws())
    clean = noise.denoising(photos[4], variance, draws())
    assert ((clean - photo) ** 2).mean() < 0.4 * ((noisy - photo) ** 2).mean()
