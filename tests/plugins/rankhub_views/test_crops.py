"""Crops and whole images at test time: what they show, and that the same image always gets the same answer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.transforms.v2 import functional as V

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub_views.crops import Crops
from rankhub_views.whole import Whole


def picture(seed: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


class Standing:
    """A function that stands in for a network without maps to lay over an image."""

    features = FeatureSpec(24)
    outputs: ClassVar = {"score.score": OutputSpec("score")}

    def __init__(self, run):
        self.run = run

    def __call__(self, images):
        return self.run(images)


@pytest.fixture(scope="module")
def forward():
    """A small convolutional network that takes images of any size."""
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.ReLU())
    head = nn.Linear(24, 1)

    @torch.no_grad()
    def run(images):
        maps = trunk(images)
        pooled = maps.mean((2, 3))
        return {"backbone": pooled, "score.score": head(pooled)[:, 0], "density.map": maps}

    return Standing(run)


SIZES = st.tuples(st.integers(12, 40), st.integers(12, 40))
PREDICTS = [Crops(size=11, count=7, batch=3), Crops(size=16, count=5, small="enlarge"), Whole(), Whole(max_side=20)]


@pytest.mark.parametrize("predict", PREDICTS, ids=["crops", "enlarged", "whole", "reduced"])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(sizes=st.lists(SIZES, min_size=1, max_size=6), seed=st.integers(0, 2**31))
def test_an_image_gets_bitwise_the_same_answer_in_any_company(predict, forward, sizes, seed):
    images = [picture(row, *size) for row, size in enumerate(sizes)]
    images.append(images[0].clone())
    order = np.random.default_rng(seed).permutation(len(images))
    together = predict([images[index] for index in order], forward)
    maps = {"density.map"} if isinstance(predict, Whole) else set()  # those of crops have no common place
    assert set(together) == {"backbone", "score.score", *maps}
    for row, index in enumerate(order):
        alone = predict([images[index]], forward)
        for name, values in together.items():
            assert torch.equal(values[row], alone[name][0])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(size=SIZES, crop=st.integers(1, 12), count=st.integers(1, 9), seed=st.integers(0, 5))
def test_crops_are_squares_of_the_image_and_their_outputs_are_averaged(size, crop, count, seed):
    image = picture(3, *size)
    predict = Crops(size=crop, count=count, seed=seed, batch=4)
    offsets = predict.offsets(image)
    assert offsets.shape == (count, 2)
    assert (offsets >= 0).all()
    assert (offsets + crop <= size).all()
    expected = [image[:, y : y + crop, x : x + crop].double().mean() / 255 for y, x in offsets]
    answer = predict([image], lambda views: {"backbone": views.mean((1, 2, 3))})
    assert answer["backbone"].shape == (1,)
    assert float(answer["backbone"][0]) == pytest.approx(float(torch.stack(expected).mean()), abs=1e-5)


def test_crops_lie_all_over_the_image_and_follow_from_its_content():
    image = picture(0, 30, 50)
    offsets = Crops(size=10, count=4000).offsets(image)
    assert set(offsets[:, 0]) == set(range(21))
    assert set(offsets[:, 1]) == set(range(41))
    counts = np.bincount(offsets[:, 1], minlength=41)
    assert counts.min() > 4000 / 41 / 2
    assert abs(np.corrcoef(offsets.T)[0, 1]) < 0.06
    other = image.clone()
    other[2, 29, 49] ^= 1
    turned = image.reshape(3, 50, 30)  # the same bytes
    few = Crops(size=10, count=5)
    assert not np.array_equal(few.offsets(image), few.offsets(other))
    assert not np.array_equal(few.offsets(image), few.offsets(turned))
    assert not np.array_equal(few.offsets(image), Crops(size=10, count=5, seed=1).offsets(image))
    assert np.array_equal(few.offsets(image), Crops(size=10, count=9).offsets(image)[:5])
    assert np.array_equal(few.offsets(image), few.offsets(image.transpose(1, 2).contiguous().transpose(1, 2)))


def test_crop_positions_are_the_same_in_every_version():
    image = torch.arange(3 * 20 * 30, dtype=torch.int64).remainder(251).to(torch.uint8).view(3, 20, 30)
    assert Crops(size=8, count=4).offsets(image).tolist() == [[10, 16], [5, 1], [11, 18], [2, 11]]


def test_small_images_are_refused_or_enlarged():
    sizes = np.array([[8, 30], [30, 8], [20, 20], [16, 16], [15, 16]])
    strict, lenient = Crops(size=16), Crops(size=16, small="enlarge", count=6)
    sentence, which = strict.check_images(sizes)
    assert sentence.startswith("are smaller than the crop of 16 pixels; ")
    assert which.tolist() == [True, True, False, False, True]
    assert strict.check_images(sizes[2:4]) is None
    assert lenient.check_images(sizes) is None
    with pytest.raises(UserError, match="an image of 30x8 pixels is smaller than the crop of 16 pixels"):
        strict([picture(0, 8, 30)], lambda views: {"backbone": views})
    image = picture(0, 8, 30)
    larger = V.resize(image.float() / 255, [16, 60], antialias=True)
    crops = lenient.crops(image)
    for crop, (top, left) in zip(crops, lenient.offsets(image).tolist(), strict=True):
        assert top == 0
        torch.testing.assert_close(crop, larger[:, :16, left : left + 16])


def test_whole_images_of_equal_size_pass_together():
    images = [picture(row, 10 + row % 2, 20) for row in range(7)]
    seen = []

    def forward(stack):
        seen.append(tuple(stack.shape))
        return {"backbone": stack.mean((2, 3)), "main.score": stack[:, 0, 0, 0]}

    answer = Whole(batch=3)(images, Standing(forward))
    assert seen == [(3, 3, 10, 20), (1, 3, 10, 20), (3, 3, 11, 20)]
    for row, image in enumerate(images):
        torch.testing.assert_close(answer["backbone"][row], image.float().mean((1, 2)) / 255)
        assert answer["main.score"][row] == image[0, 0, 0].float() / 255
    assert Whole()([], Standing(forward)) == {}
    assert Crops(size=3)([], forward) == {}


@pytest.mark.parametrize(
    ("size", "reduced"), [((40, 20), (16, 8)), ((20, 41), (8, 16)), ((16, 3), (16, 3)), ((200, 1), (16, 1))]
)
def test_large_images_are_reduced_in_proportion(size, reduced):
    image = picture(0, *size)
    seen = []

    def forward(stack):
        seen.append(stack)
        return {"backbone": stack.mean((2, 3))}

    Whole(max_side=16)([image], Standing(forward))
    assert tuple(seen[0].shape[-2:]) == reduced
    torch.testing.assert_close(seen[0][0], V.resize(image.float() / 255, list(reduced), antialias=True))
