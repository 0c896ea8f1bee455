from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rankhub_data.digits import PlacedDigits, split_digits


def opened(context, **options) -> PlacedDigits:
    digits = PlacedDigits(**options)
    digits.open(context())
    return digits


def pixels(digits: PlacedDigits) -> np.ndarray:
    return np.stack([digits[i].image.numpy() for i in range(len(digits))])


def test_parts_are_stratified_and_share_no_digit():
    target = load_digits().target
    train, test = split_digits(target, "train"), split_digits(target, "test")
    assert sorted([*train, *test]) == list(range(1797))
    share = np.bincount(target[test]) / np.bincount(target)
    assert (abs(share - 0.25) < 0.005).all()


def test_split_is_fixed_for_all_versions():
    assert split_digits(load_digits().target, "test")[:6].tolist() == [3, 7, 12, 16, 21, 22]


def test_samples_and_labels_agree(context):
    digits = opened(context, part="test")
    assert len(digits) == 450
    sample = digits[17]
    assert (tuple(sample.image.shape), str(sample.image.dtype), sample.index) == ((3, 32, 32), "torch.uint8", 17)
    assert [digits[i].label for i in range(20)] == digits.labels()[:20].tolist()
    assert digits.label.classes == tuple("0123456789")
    with pytest.raises(IndexError):
        digits[450]


def test_images_are_a_function_of_seed_and_digit(context):
    first, again, other = (pixels(opened(context, part="test", seed=seed)) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any(axis=(1, 2, 3)).all()


def test_more_placements_keep_the_first_and_differ_from_it(context):
    once, thrice = opened(context, part="train"), opened(context, part="train", placements=3)
    assert len(thrice) == 3 * len(once)
    images = pixels(thrice).reshape(len(once), 3, 3, 32, 32)
    assert (images[:, 0] == pixels(once)).all()
    assert (images[:, 1] != images[:, 0]).any(axis=(1, 2, 3)).all()
    assert (thrice.labels() == np.repeat(once.labels(), 3)).all()


def test_every_digit_can_be_read(context):
    """The brightest and the darkest pixel differ in brightness by about the promised contrast at least."""
    luma = np.einsum("nchw,c->nhw", pixels(opened(context, part="train")) / 255.0, [0.299, 0.587, 0.114])
    contrast = luma.max(axis=(1, 2)) - luma.min(axis=(1, 2))
    assert contrast.min() > 0.28
    assert (contrast > 0.33).mean() > 0.98


def test_colours_tell_nothing_of_the_digit(context):
    """The mean colour of each class is that of all, within what chance allows."""
    digits = opened(context, part="train")
    colour = pixels(digits).mean(axis=(2, 3))
    corner = pixels(digits)[:, :, 0, 0].astype(float)
    for value in (colour, corner):
        spread = value.std(axis=0) / np.sqrt(np.bincount(digits.labels()).min())
        for digit in range(10):
            assert (abs(value[digits.labels() == digit].mean(axis=0) - value.mean(axis=0)) < 4 * spread).all()


def test_raw_pixels_say_little(context):
    """1-nearest-neighbour on pixels stays far below the 98 % of the bare digits, and above chance."""
    train, test = opened(context, part="train"), opened(context, part="test")
    bank, queries = (pixels(d).reshape(len(d), -1).astype(np.float32) for d in (train, test))
    nearest = ((bank**2).sum(axis=1) - 2 * queries @ bank.T).argmin(axis=1)
    accuracy = (train.labels()[nearest] == test.labels()).mean()
    assert 0.1 < accuracy < 0.35


def test_size_is_the_canvas(context):
    assert opened(context, part="test", size=48)[0].image.shape == (3, 48, 48)
