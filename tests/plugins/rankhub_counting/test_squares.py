"""Squares at fractional places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_counting.squares import Square, cut, followed


def noise(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8))


@pytest.mark.parametrize("flip", [False, True])
def test_a_square_between_pixels_and_of_the_size_asked_for_is_copied(flip):
    image = noise(30, 40)
    got = cut(image, Square(7, 4, 12, flip), 12)
    region = image[:, 4:16, 7:19]
    assert torch.equal(got, region.flip(2) if flip else region)
    got[:] = 0
    assert image[:, 4:16, 7:19].any()


def test_a_view_of_one_pixel_can_be_flipped():
    image = torch.full((3, 4, 4), 7, dtype=torch.uint8)
    assert torch.equal(cut(image, Square(0, 0, 4, flip=True), 1), torch.full((3, 1, 1), 7, dtype=torch.uint8))


def test_a_whole_factor_is_the_mean_under_the_triangle():
    """Shrunk by 2, an output pixel weighs 4 source pixels 1:3:3:1 (the triangle of half width 2), cut at the edge."""
    image = noise(1, 12).repeat(1, 12, 1)
    got = cut(image, Square(0, 0, 12), 6)[:, 3].double()
    line, weights = image[:, 0].double(), torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
    for x in range(1, 5):
        assert torch.allclose(got[:, x], (line[:, 2 * x - 1 : 2 * x + 3] * weights).sum(1) / 8, atol=1)
    assert torch.allclose(got[:, 0], (line[:, :3] * weights[1:]).sum(1) / 7, atol=1)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 20), st.floats(0, 10), st.floats(3, 19), st.integers(4, 60), st.booleans())
def test_pixels_lie_where_the_map_says(left, top, side, size, flip):
    """On an image that is linear in x and y, a linear filter gives the value at the place of its own centre."""
    y, x = np.mgrid[0:30, 0:40] + 0.5
    ramp = torch.from_numpy(np.stack([5 * x, 7 * y, 2 * x + 3 * y]).round().astype(np.uint8))
    got = cut(ramp, Square(left, top, side, flip), size).numpy()
    move = Square(left, top, side, flip).map(size)
    rows, columns = np.mgrid[0:size, 0:size] + 0.5
    x, y = (columns - move[0, 2]) / move[0, 0], (rows - move[1, 2]) / move[1, 1]
    # Within one source or view pixel of the edge the filter is cut off.
    reach = max(1.0, side / size)
    deep = (np.minimum(x - left, left + side - x) > reach) & (np.minimum(y - top, top + side - y) > reach)
    # Rounded three times: the ramp, between rows and columns, the result. The rest is the filter's centre: its sampled
    # weights are not quite even around it. Half a pixel off would be 3.5.
    for plane, expected in zip(got, (5 * x, 7 * y, 2 * x + 3 * y), strict=True):
        assert np.abs(plane - expected)[deep].max(initial=0) <= 1.5 + 0.25


def test_nothing_beyond_the_touched_pixels_is_read():
    image = torch.full((3, 40, 40), 200, dtype=torch.uint8)
    inner = torch.zeros(40, 40, dtype=torch.bool)
    inner[10:25, 12:27] = True
    image[:, ~inner] = 0
    for size in (5, 15, 90):
        assert (cut(image, Square(12.2, 10.1, 14.7), size) == 200).all()


def test_corners_and_flip():
    square = Square(3.25, 1.5, 10.5)
    corners = np.array([[3.25, 13.75], [1.5, 12.0], [1, 1]])
    assert np.allclose(square.map(7) @ corners, [[0, 7], [0, 7]])
    assert np.allclose(Square(3.25, 1.5, 10.5, flip=True).map(7) @ corners, [[7, 0], [0, 7]])


def test_one_map_after_another():
    first, then = Square(3.25, 1.5, 10.5, flip=True).map(20), Square(2, 5, 9).map(4)
    point = np.array([6.0, 4.0, 1.0])
    assert np.allclose(followed(first, then) @ point, then @ np.array([*(first @ point), 1.0]))


def test_an_edge_that_rounding_put_outside_is_taken_for_the_edge():
    image = noise(20, 20)
    assert torch.equal(cut(image, Square(-1e-13, 1e-14, 20), 20), image)
    assert torch.equal(cut(image, Square(0, 0, 20 + 1e-12), 20), image)
