"""What stands before the network in a graph, against what the recipe's ``predict`` shows the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub_export.front import Aligned, Middle, Shown
from rankhub_views.center import Center
from rankhub_views.whole import Whole

SIZES = [(96, 96), (97, 131), (200, 80), (50, 61), (33, 47), (64, 65)]


def image(height, width):
    return torch.from_numpy(np.random.default_rng(height).integers(0, 256, (3, height, width), np.uint8))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", [64, 65, 71, 90])
def test_the_middle_is_that_of_center(resize, interpolation):
    center = Center(size=64, resize=resize, interpolation=interpolation)
    for size in SIZES:
        pixels = image(*size)
        got = Middle("uint8", 64, resize, interpolation)(pixels[None])
        torch.testing.assert_close(got, center.views([pixels]), rtol=0, atol=2e-5)
        as_float = Middle("float", 64, resize, interpolation)((pixels.float() / 255)[None])
        torch.testing.assert_close(as_float, got, rtol=0, atol=2e-5)


class Sees:
    """Keeps what the network is shown."""

    def __init__(self, stride):
        self.features, self.outputs = FeatureSpec(4, 4, stride), {"density.map": OutputSpec("map")}

    def __call__(self, images):
        self.seen = images
        return {"backbone": images.mean((2, 3))}


@pytest.mark.parametrize("stride", [1, 2, 8, 16, 32])
def test_a_whole_image_is_aligned_as_whole_does_it(stride):
    for size in SIZES:
        sees = Sees(stride)
        Whole()([image(*size)], sees)
        got = Aligned("uint8", stride)(image(*size)[None])
        torch.testing.assert_close(
            got, sees.seen, rtol=0, atol=2e-5
        )  # torch's weights are rounded to float32 on the way


def test_a_view_is_scaled_only():
    pixels = image(20, 30)[None]
    assert torch.equal(Shown("uint8")(pixels), pixels.float() / 255)
    assert torch.equal(Shown("float")(pixels.float() / 255), pixels.float() / 255)
