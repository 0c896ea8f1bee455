from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from rankhub.interfaces.errors import Objection
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


def test_the_validation_is_a_part_of_the_training_digits():
    target = load_digits().target
    fit, validation, train = (split_digits(target, part) for part in ("fit", "validation", "train"))
    assert sorted([*fit, *validation]) == train.tolist()
    share = np.bincount(target[validation]) / np.bincount(target[train])
    assert (abs(share - 0.25) < 0.005).all()
    assert validation[:6].tolist() == [2, 4, 5, 13, 14, 18]


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


@pytest.mark.parametrize("part", ["test", "validation"])
def test_digits_to_be_recognized_are_placed_once(part):
    with pytest.raises(Objection, match="placements is 2, but the digits of part"):
        PlacedDigits(part=part, placements=2)


def ink_of(context, **options) -> tuple[np.ndarray, np.ndarray]:
    """Side of the ink's box as a share of the canvas, and its angle, of each digit one: what differs from a corner."""
    images = pixels(opened(context, part="train", size=64, **options)).astype(float)
    cover = abs(images - images[:, :, :1, :1]).max(axis=1)
    rows, columns = ((cover > 0.5 * cover.max(axis=(1, 2), keepdims=True)).any(axis=axis) for axis in (2, 1))
    return rows, columns


def test_scale_is_the_side_of_the_digits_box(context):
    """A digit fills its box from top to bottom, so that upright ink is as high as its scale says, or a little less."""
    for share in (0.3, 0.9):
        rows, columns = ink_of(context, rotation=0, scale=(share, share))
        high, wide = rows.sum(1) / 64, columns.sum(1) / 64
        assert 0.85 * share < np.median(high) < 1.05 * share
        assert max(high.max(), wide.max()) < share + 0.05
    narrow, wide = (ink_of(context, rotation=0, scale=scale)[0].sum(1) for scale in ((0.5, 0.5), (0.3, 0.9)))
    assert wide.std() > 3 * narrow.std()
    with pytest.raises(Objection, match="exchange the two"):
        PlacedDigits(part="train", scale=(0.9, 0.3))


def test_shift_is_how_far_from_the_middle_the_digit_lies(context):
    """Of the way to the edge: at 0 in the middle, at 1 anywhere, in between in proportion."""
    at = []
    for shift in (0.0, 0.5, 1.0):
        rows, columns = ink_of(context, rotation=0, scale=(0.5, 0.5), shift=shift)
        places = np.arange(64) + 0.5 - 32
        at.append(np.stack([rows @ places / rows.sum(1), columns @ places / columns.sum(1)]))
    for half, none, all_of_it in zip(at[1].T, at[0].T, at[2].T, strict=True):
        np.testing.assert_allclose(half, (none + all_of_it) / 2, atol=1.5)
    assert abs(at[0]).max() < 6  # the ink of a digit is not quite in the middle of its box
    assert 14 < abs(at[2] - at[0]).max() < 17.5  # the box is 32 of 64 pixels wide, so that 16 are left either way


def test_rotation_turns_the_digit_about_its_middle(context):
    """Turned by up to 10 degrees digits resemble the upright ones less than by none, and more than by up to 90."""
    upright, little, much = (pixels(opened(context, part="test", rotation=angle)) for angle in (0, 10, 90))
    assert (upright[:, :, 0, 0] == little[:, :, 0, 0]).mean() > 0.9  # colours and places are the same
    far = [abs(upright.astype(float) - other).mean() for other in (little, much)]
    assert 0 < far[0] < 0.5 * far[1]


def test_size_is_the_canvas(context):
    assert opened(context, part="test", size=48)[0].image.shape == (3, 48, 48)
