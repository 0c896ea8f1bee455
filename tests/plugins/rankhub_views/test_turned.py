import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import affine_transform
from torchvision.transforms.v2 import functional as V

from rankhub_views.parameters import Boxes, Turn, compose
from rankhub_views.resample import resample, windows
from rankhub_views.scratch import Scratch
from rankhub_views.turned import askew, resample_turned

CLOSE = 2 / 255 / 100
FILTERS = ("bilinear", "bicubic")


def noise(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """[3, height, width] uint8."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


def smooth(x, y):
    """A sum of waves of at least 25 pixels' length, in [0, 1]."""
    return 0.5 + 0.2 * np.sin(0.11 * x + 0.17 * y) + 0.15 * np.cos(0.21 * x - 0.05 * y) + 0.1 * np.sin(0.25 * y)


def turned_boxes(boxes: list[tuple[int, int, int, int, bool]], degrees: list[float], sizes) -> Boxes:
    """Boxes (top, left, height, width, flip) turned by their angle in images of ``sizes``."""
    upright = (np.array(column) for column in zip(*boxes, strict=True))
    return Boxes(*upright, Turn(np.deg2rad(np.array(degrees)), np.array(sizes)))


def ours(images: torch.Tensor, boxes: Boxes, size: int, interpolation: str = "bilinear") -> torch.Tensor:
    out = torch.full((len(boxes), 3, size, size), torch.nan)
    assert boxes.turn is not None
    resample_turned(images, askew(boxes, boxes.turn, size, interpolation), interpolation, out)
    return out


def slow_filter(distance: float, interpolation: str) -> float:
    """The triangle, or Keys' cubic with a = -0.5, as in the books."""
    x = abs(distance)
    if interpolation == "bilinear":
        return max(0.0, 1 - x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def slow_view(image: np.ndarray, boxes: Boxes, row: int, size: int, interpolation: str) -> np.ndarray:
    """[3, size, size]: for each pixel of the view the weighted mean of all pixels of the image, continued beyond it."""
    assert boxes.turn is not None
    around = 3 * max(image.shape[1:])
    image = np.pad(image, ((0, 0), (around, around), (around, around)), mode="edge")
    height, width = boxes.height[row], boxes.width[row]
    middle = np.array([boxes.left[row] + width / 2, boxes.top[row] + height / 2])
    angle = boxes.turn.angle[row]
    across, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    steps = np.array([width, height]) / size
    view = np.empty((3, size, size))
    lines, columns = np.mgrid[: image.shape[1], : image.shape[2]] + 0.5 - around
    for i in range(size):
        for j in range(size):
            place = (np.array([j, i]) + 0.5 - size / 2) * steps * [-1 if boxes.flip[row] else 1, 1]
            x, y = middle + place[0] * across + place[1] * down
            weights = np.zeros(image.shape[1:])
            near = np.argwhere((abs(columns - x) < 2.9 * max(2, *steps)) & (abs(lines - y) < 2.9 * max(2, *steps)))
            for line, column in near:
                away = np.array([columns[line, column] - x, lines[line, column] - y])
                weights[line, column] = slow_filter(away @ across / max(1, steps[0]), interpolation) * slow_filter(
                    away @ down / max(1, steps[1]), interpolation
                )
            view[:, i, j] = (image * weights).sum(axis=(1, 2)) / weights.sum()
    return view.clip(0, 1)


@pytest.mark.parametrize("interpolation", FILTERS)
def test_equals_the_weighted_mean_written_out(interpolation):
    """Smaller, larger, askew at any angle, flipped, reaching beyond the image, in images padded with white."""
    sizes = [(13, 17), (20, 9)]
    images = torch.full((2, 3, 22, 18), 255, dtype=torch.uint8)
    for row, (height, width) in enumerate(sizes):
        images[row, :, :height, :width] = noise(height, width, row)
    boxes = turned_boxes(
        [(0, 0, 13, 17, False), (2, 3, 9, 9, True), (12, 1, 4, 3, False), (1, 0, 15, 8, True)],
        [10, -47, 90, 171],
        [sizes[0], sizes[0], sizes[1], sizes[1]],
    )
    views = ours(images, boxes, 5, interpolation)
    for row in range(4):
        height, width = sizes[row // 2]
        expected = slow_view(images[row // 2, :, :height, :width].numpy() / 255, boxes, row, 5, interpolation)
        np.testing.assert_allclose(views[row], expected, atol=CLOSE)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("degrees", [0.0, 8.0, -30.0, 140.0])
def test_each_pixel_shows_what_its_map_says(degrees, flip):
    """Of a smooth picture, a pixel of the view has the value where the inverse of its map leads."""
    lines, columns = np.mgrid[:90, :120] + 0.5
    image = torch.from_numpy(smooth(columns, lines)).float().expand(1, 3, -1, -1)
    boxes = turned_boxes([(20, 30, 44, 50, flip)], [degrees], [(90, 120)])
    view = ours(image, boxes, 40)[0, 0].numpy()
    linear, move = np.split(boxes.maps(40)[0].numpy(), [2], axis=1)
    places = np.mgrid[:40, :40][::-1].reshape(2, -1) + 0.5
    x, y = np.linalg.solve(linear, places - move)
    np.testing.assert_allclose(view.ravel(), smooth(x, y), atol=0.01)


@pytest.mark.parametrize("interpolation", FILTERS)
def test_resembles_scipys_affine_transform_of_a_smooth_picture(interpolation):
    lines, columns = np.mgrid[:80, :80] + 0.5
    picture = smooth(columns, lines)
    boxes = turned_boxes([(16, 20, 48, 40, False)], [-17], [(80, 80)])
    view = ours(torch.from_numpy(picture).float().expand(1, 3, -1, -1), boxes, 36, interpolation)[0, 0]
    move = boxes.maps(36)[0].numpy()[::-1, [1, 0, 2]]  # scipy's order of axes
    back = np.linalg.inv(move[:, :2])
    shift = -back @ move[:, 2] + back @ [0.5, 0.5] - [0.5, 0.5]  # scipy counts from a pixel's centre
    expected = affine_transform(picture, back, shift, output_shape=(36, 36), order=3, mode="nearest")
    np.testing.assert_allclose(view, expected, atol=0.01)


def test_turns_the_way_torchvision_does():
    lines, columns = np.mgrid[:64, :64] + 0.5
    picture = torch.from_numpy(smooth(columns, lines)).float().expand(1, 3, -1, -1)
    view = ours(picture, turned_boxes([(0, 0, 64, 64, False)], [25], [(64, 64)]), 64)[0]
    expected = V.rotate(picture[0], 25, interpolation=V.InterpolationMode.BILINEAR)
    middle = (slice(None), slice(16, 48), slice(16, 48))
    torch.testing.assert_close(view[middle], expected[middle], rtol=0, atol=0.01)


@settings(max_examples=20, deadline=None)
@given(st.floats(-180, 180), st.sampled_from(FILTERS), st.booleans())
def test_law_a_turn_and_the_turn_back_give_the_picture_again(degrees, interpolation, flip):
    """A flipped view shows its content turned the other way, so that there the same turn leads back."""
    lines, columns = np.mgrid[:64, :64] + 0.5
    picture = torch.from_numpy(smooth(columns, lines)).float().expand(1, 3, -1, -1)
    there, back = (
        turned_boxes([(0, 0, 64, 64, flip)], [angle], [(64, 64)]) for angle in (degrees, degrees if flip else -degrees)
    )
    again = ours(ours(picture, there, 64, interpolation), back, 64, interpolation)
    middle = (..., slice(20, 44), slice(20, 44))  # what a turn by any angle keeps inside the picture
    torch.testing.assert_close(again[middle], picture[middle], rtol=0, atol=0.01)
    same = compose(there.maps(64), back.maps(64))[0]
    torch.testing.assert_close(same, torch.eye(3, dtype=torch.float64)[:2], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3)])
def test_right_angles_give_the_pixels_themselves(degrees, turns):
    image = noise(12, 12)
    boxes = turned_boxes([(0, 0, 12, 12, False), (0, 0, 12, 12, True)], [degrees] * 2, [(12, 12)] * 2)
    views = ours(image[None], boxes, 12, "bicubic")
    expected = torch.rot90(image / 255, turns, (1, 2))
    torch.testing.assert_close(views[0], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(views[1], expected.flip(2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("size", [10, 24, 60])
def test_no_turn_is_the_upright_resample_but_at_the_edge(interpolation, size):
    """An upright view looks at its box alone, a turned one also a filter's reach beside it."""
    images = torch.stack([noise(50, 70, seed) for seed in range(2)])
    boxes = turned_boxes([(10, 20, 30, 24, False), (5, 5, 40, 60, True)], [0, 0], [(50, 70)] * 2)
    upright = torch.empty(2, 3, size, size)
    resample(images, *windows(boxes, size), interpolation, upright, Scratch(images.device))
    edge = int(np.ceil(2 * max(1, size / 24)))
    inside = (..., slice(edge, -edge), slice(edge, -edge))
    torch.testing.assert_close(ours(images, boxes, size, interpolation)[inside], upright[inside], rtol=0, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 20), st.sampled_from(FILTERS), st.floats(-180, 180))
def test_law_constant_images_stay_constant_and_views_stay_in_range(height, width, size, interpolation, degrees):
    images = torch.stack([torch.full((3, height, width), 137, dtype=torch.uint8), noise(height, width)])
    boxes = turned_boxes([(0, 0, height, width, False)] * 2, [degrees] * 2, [(height, width)] * 2)
    views = ours(images, boxes, size, interpolation)
    torch.testing.assert_close(views[0], torch.full_like(views[0], 137 / 255))
    assert views.min() >= 0
    assert views.max() <= 1
