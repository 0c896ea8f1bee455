import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as V

from rankhub_views.parameters import Boxes
from rankhub_views.resample import resample, windows
from rankhub_views.scratch import Scratch

CLOSE = 2 / 255
CPU = torch.device("cpu")


def picture(kind: str, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """[3, height, width] uint8."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    if kind == "grey":
        return noise[:1].expand(3, -1, -1).contiguous()
    if kind == "constant":
        return torch.full_like(noise, 137)
    if kind == "steps":
        return (noise > 127).to(torch.uint8) * 255
    return noise


def random_boxes(rng: np.random.Generator, sizes: np.ndarray) -> Boxes:
    height, width = (rng.integers(1, side + 1) for side in sizes.T)
    top, left = (rng.integers(0, side - part + 1) for side, part in zip(sizes.T, (height, width), strict=True))
    return Boxes(top, left, height, width, rng.random(len(sizes)) < 0.5)


def ours(images: torch.Tensor, boxes: Boxes, size: int, interpolation: str) -> torch.Tensor:
    out = torch.full((len(boxes), 3, size, size), torch.nan)
    resample(images, *windows(boxes, size), interpolation, out, Scratch(CPU))
    return out


def reference(image: torch.Tensor, boxes: Boxes, row: int, size: int, interpolation: str) -> torch.Tensor:
    box = [int(part[row]) for part in (boxes.top, boxes.left, boxes.height, boxes.width)]
    view = V.resized_crop(
        image.double() / 255, *box, [size, size], interpolation=V.InterpolationMode(interpolation), antialias=True
    )
    return (V.horizontal_flip(view) if boxes.flip[row] else view).clamp(0, 1)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("kind", ["noise", "grey", "constant", "steps"])
@pytest.mark.parametrize(
    ("height", "width", "size"), [(37, 53, 16), (64, 64, 32), (23, 11, 31), (5, 300, 9), (7, 7, 7)]
)
def test_equals_torchvisions_crop_resize_and_flip(interpolation, kind, height, width, size):
    images = torch.stack([picture(kind, height, width, seed) for seed in range(3)])
    boxes = random_boxes(np.random.default_rng(1), np.tile([height, width], (12, 1)))
    views = ours(images, boxes, size, interpolation)
    for row, view in enumerate(views):
        expected = reference(images[row // 4], boxes, row, size, interpolation)
        assert (view - expected).abs().max() < CLOSE / 100


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 1), (2, 2), (1, 9), (3, 1)])
def test_tiny_images(interpolation, height, width):
    images = picture("noise", height, width)[None]
    boxes = random_boxes(np.random.default_rng(0), np.tile([height, width], (6, 1)))
    views = ours(images, boxes, 8, interpolation)
    for row, view in enumerate(views):
        assert (view - reference(images[0], boxes, row, 8, interpolation)).abs().max() < CLOSE / 100


def test_padding_is_never_seen():
    small = picture("noise", 20, 31)
    padded = torch.full((1, 3, 50, 40), 255, dtype=torch.uint8)
    padded[0, :, :20, :31] = small
    boxes = random_boxes(np.random.default_rng(3), np.tile([20, 31], (9, 1)))
    assert torch.equal(ours(padded, boxes, 12, "bilinear"), ours(small[None], boxes, 12, "bilinear"))


def test_float_images_are_taken_as_they_are():
    images = torch.stack([picture("noise", 30, 30)])
    boxes = random_boxes(np.random.default_rng(4), np.tile([30, 30], (4, 1)))
    torch.testing.assert_close(ours(images / 255, boxes, 10, "bicubic"), ours(images, boxes, 10, "bicubic"))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 24), st.sampled_from(["bilinear", "bicubic"]), st.data())
def test_law_constant_images_stay_constant_and_views_stay_in_range(height, width, size, interpolation, data):
    value = data.draw(st.integers(0, 255))
    seed = data.draw(st.integers(0, 10_000))
    images = torch.stack([torch.full((3, height, width), value, dtype=torch.uint8), picture("steps", height, width)])
    boxes = random_boxes(np.random.default_rng(seed), np.tile([height, width], (4, 1)))
    views = ours(images, boxes, size, interpolation)
    torch.testing.assert_close(views[:2], torch.full_like(views[:2], value / 255))
    assert views.min() >= 0
    assert views.max() <= 1
