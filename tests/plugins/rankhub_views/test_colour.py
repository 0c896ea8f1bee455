import itertools

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as V

from rankhub_views.colour import CHANGES, grey_, invert_, jitter_
from rankhub_views.scratch import Scratch

CLOSE = 2 / 255
SIDE = 9
THEIRS = (V.adjust_brightness, V.adjust_contrast, V.adjust_saturation, V.adjust_hue)


def scratch() -> Scratch:
    return Scratch(torch.device("cpu"))


def pictures() -> dict[str, torch.Tensor]:
    """Name -> [3, SIDE, SIDE] float in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, SIDE, SIDE, generator=generator)
    levels = torch.tensor(list(itertools.product([0, 0.5, 1], repeat=3)))  # every tie and every corner of the cube
    return {
        "noise": noise,
        "grey": noise[:1].expand(3, -1, -1).clone(),
        "nearly grey": 0.5 + (noise - 0.5) * 1e-3,
        "constant": torch.tensor([0.2, 0.9, 0.4])[:, None, None].expand(3, SIDE, SIDE).clone(),
        "black": torch.zeros(3, SIDE, SIDE),
        "white": torch.ones(3, SIDE, SIDE),
        "corners": levels.T.repeat(1, 3).reshape(3, SIDE, SIDE),
        "bytes": (noise * 255).round() / 255,
    }


@pytest.mark.parametrize("number", range(4))
def test_each_change_equals_torchvisions(number):
    images = torch.stack(list(pictures().values()))
    factors = [-0.5, -0.4, -1 / 6, -0.1, 0, 0.05, 1 / 6, 0.2, 1 / 3, 0.5] if number == 3 else [0, 0.2, 0.7, 1, 1.3, 1.8]
    for factor in factors:
        changed = images.flatten(2).clone()
        CHANGES[number](changed, np.full(len(images), float(factor)), scratch())
        for name, mine, image in zip(pictures(), changed.view_as(images), images, strict=True):
            theirs = THEIRS[number](image, float(factor))
            assert (mine - theirs).abs().max() < CLOSE / 20, (name, factor)


def test_each_order_of_changes_equals_torchvisions():
    orders = np.array(list(itertools.permutations(range(4))))
    rng = np.random.default_rng(0)
    rows = np.arange(0, 2 * len(orders), 2)  # every other view, so that the rest must stay as it is
    factors = rng.uniform([0.2, 0.2, 0.2, -0.2], [1.8, 1.8, 1.8, 0.2], (2 * len(orders), 4))
    images = torch.rand(2 * len(orders), 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    changed = images.flatten(2).clone()
    jitter_(changed, rows, factors, np.repeat(orders, 2, axis=0), scratch())
    for row, (mine, image) in enumerate(zip(changed.view_as(images), images, strict=True)):
        expected = image
        if row % 2 == 0:
            for number in orders[row // 2]:
                expected = THEIRS[number](expected, float(factors[row, number]))
        assert (mine - expected).abs().max() < CLOSE / 20


def test_only_the_named_changes_are_done():
    images = torch.rand(3, 3, 25, generator=torch.Generator().manual_seed(2))
    changed = images.clone()
    factors = np.tile([0.5, 9.0, 9.0, 0.4], (3, 1))
    jitter_(changed, np.arange(3), factors, np.zeros((3, 1), dtype=np.int64), scratch())
    torch.testing.assert_close(changed, images * 0.5)
    jitter_(changed, np.arange(3), factors, np.zeros((3, 0), dtype=np.int64), scratch())
    torch.testing.assert_close(changed, images * 0.5)


def test_grey_equals_torchvisions():
    images = torch.stack(list(pictures().values()))
    changed = images.flatten(2).clone()
    grey_(changed, np.array([0, 3, 6]), scratch())
    for row, (mine, image) in enumerate(zip(changed.view_as(images), images, strict=True)):
        expected = V.rgb_to_grayscale(image, num_output_channels=3) if row in (0, 3, 6) else image
        assert (mine - expected).abs().max() < 1e-6


def test_the_negative_equals_torchvisions_and_twice_is_the_view_itself():
    images = torch.stack(list(pictures().values()))
    changed, rows = images.flatten(2).clone(), np.array([0, 4, 6])
    invert_(changed, rows)
    for row, (mine, image) in enumerate(zip(changed.view_as(images), images, strict=True)):
        torch.testing.assert_close(mine, V.invert(image) if row in rows else image, rtol=0, atol=0)
    invert_(changed, rows)
    torch.testing.assert_close(changed.view_as(images), images, rtol=0, atol=1e-7)
