"""What every kind of distortion keeps: shape, the image itself, one result per state of the draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_quality.distortion.kinds import KINDS
from rankhub_quality.distortion.sets import LIVE, MLIVE_BLUR, MLIVE_JPEG, MLIVE_NOISE, TID2013

ALL_LEVELS = (*LIVE, *TID2013, MLIVE_BLUR, MLIVE_JPEG, MLIVE_NOISE)
CASES = sorted({(levels.kind, strength) for levels in ALL_LEVELS for strength in levels.strengths})
EXTREMES = [
    (kind, levels[end]) for kind in KINDS for levels in [sorted(s for k, s in CASES if k == kind)] for end in (0, -1)
]
RANDOM = {
    "gaussian_noise",
    "colour_noise",
    "high_frequency_noise",
    "impulse_noise",
    "multiplicative_noise",
    "denoising",
    "pattern_noise",
    "colour_blocks",
}


def picture(height, width, seed=0, grey=False):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 1 if grey else 3), np.uint8)
    return np.repeat(values, 3, axis=2) if grey else values


def distorted(kind, strength, image, seed=0):
    return KINDS[kind].apply(image, strength, np.random.default_rng(seed))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 37), (37, 1), (2, 3), (31, 33), (67, 41)])
@pytest.mark.parametrize("grey", [False, True])
def test_any_size_keeps_its_shape(height, width, grey):
    image = picture(height, width, grey=grey)
    for kind, strength in CASES:
        result = distorted(kind, strength, image)
        assert result.shape == image.shape, (kind, strength)
        assert result.dtype == np.uint8, (kind, strength)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(EXTREMES), st.integers(1, 48), st.integers(1, 48), st.booleans(), st.integers(0, 2**32))
def test_same_draws_same_pixels_and_the_image_is_kept(case, height, width, grey, seed):
    image = picture(height, width, seed, grey)
    image.flags.writeable = False
    first, second = (distorted(*case, image, seed) for _ in range(2))
    assert first.shape == image.shape
    assert np.array_equal(first, second)
    assert not np.shares_memory(first, image)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_random_kinds_depend_on_the_draws(kind, photos):
    photo = photos[0][:96, :96]
    strength = next(levels.strengths[1] for levels in ALL_LEVELS if levels.kind == kind)
    same = np.array_equal(distorted(kind, strength, photo, 1), distorted(kind, strength, photo, 2))
    assert same == (kind not in RANDOM)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_view_that_is_not_contiguous_is_an_image_too(kind):
    image = picture(40, 52)
    across = np.ascontiguousarray(image.transpose(2, 0, 1)).transpose(1, 2, 0)
    strength = next(levels.strengths[0] for levels in ALL_LEVELS if levels.kind == kind)
    assert np.array_equal(distorted(kind, strength, image), distorted(kind, strength, across))


IDENTITIES = {
    "gaussian_noise": 0,
    "high_frequency_noise": 0,
    "impulse_noise": 0,
    "multiplicative_noise": 0,
    "quantisation": 1,
    "gaussian_blur": 0,
    "denoising": 0,
    "pattern_noise": 0,
    "colour_blocks": 0,
    "mean_shift_up": 0,
    "mean_shift_down": 0,
    "contrast_up": 1,
    "contrast_down": 1,
    "saturation": 1,
    "chromatic_aberration": 0,
}


@pytest.mark.parametrize(("kind", "strength"), IDENTITIES.items())
def test_the_least_strength_changes_nothing(kind, strength):
    bounds = KINDS[kind].bounds
    assert strength == (bounds[0] if KINDS[kind].grows else bounds[1])
    image = picture(33, 45)
    assert np.array_equal(distorted(kind, strength, image), image)


@pytest.mark.parametrize("levels", ALL_LEVELS, ids=lambda levels: levels.kind)
def test_sets_run_from_mild_to_strong_within_the_bounds(levels):
    kind, (low, high) = KINDS[levels.kind], KINDS[levels.kind].bounds
    steps = np.diff(levels.strengths)
    assert (steps > 0).all() if kind.grows else (steps < 0).all()
    assert all((low is None or s >= low) and (high is None or s <= high) for s in levels.strengths)


def test_sets_hold_what_the_paper_makes():
    assert [len(levels.strengths) for levels in LIVE] == [5] * 4
    assert [len(levels.strengths) for levels in TID2013] == [4] * 19
    assert {levels.kind for levels in (*LIVE, *TID2013)} == set(KINDS)
    assert len({levels.kind for levels in TID2013}) == 19


def test_kinds_describe_themselves():
    for name, kind in KINDS.items():
        assert kind.name == name
        assert kind.unit
