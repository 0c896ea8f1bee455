"""Maps of density against a slow and obvious reference, and the laws they keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.pointed import crop_map
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_counting import density_loss as kernels
from rankhub_counting.density_loss import REACH, Gaussians, draw
from rankhub_points import Points

FIXED = Gaussians(15.0, None, 0.3)


def of(values, height, width):
    return Points.of([np.asarray(values, dtype=float)], torch.tensor([[height, width]]))


def slow(points, height, width, sigma, inside):
    """Point by point, cell by cell, with math.erf."""
    rows, columns = points.sizes[0].tolist()
    cell_x, cell_y = columns / width, rows / height
    out = np.zeros((height, width))

    def share(at, spread, cells):
        def phi(z):
            return 0.5 * (1 + math.erf(max(-REACH, min(REACH, z)) / math.sqrt(2)))

        mass = np.array([phi((c + 1 - at) / spread) - phi((c - at) / spread) for c in range(cells)])
        return mass / (mass.sum() if inside else phi(REACH) - phi(-REACH))

    for (x, y), within in zip(points.values.tolist(), points.inside.tolist(), strict=True):
        if inside and not within:
            continue
        scale = points.scales[0].item()
        spread_x, spread_y = (max(0.3, sigma * scale / cell) for cell in (cell_x, cell_y))
        out += np.outer(share(y / cell_y, spread_y, height), share(x / cell_x, spread_x, width))
    return out


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("sigma", [0.1, 3.0, 15.0, 200.0])
def test_maps_equal_the_slow_reference(inside, sigma):
    rng = np.random.default_rng(3)
    points = of(rng.random((25, 2)) * [200, 120], 120, 200).moved(
        crop_map(30, 20, 90, 60, 64, True), torch.tensor([[64, 64]])
    )
    made = draw(points, 5, 7, Gaussians(sigma, None, 0.3), inside=inside)
    assert made.shape == (1, 1, 5, 7)
    np.testing.assert_allclose(made[0, 0], slow(points, 5, 7, sigma, inside), atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    points = of(np.random.default_rng(0).random((50, 2)) * 64, 64, 64)
    whole = draw(points, 8, 8, FIXED, inside=True)
    monkeypatch.setattr(kernels, "BLOCK", 64 * 3)
    torch.testing.assert_close(draw(points, 8, 8, FIXED, inside=True), whole)


cases = st.tuples(
    st.integers(0, 10_000),  # seed
    st.integers(0, 12),  # points
    st.integers(1, 60),  # side of the crop
    st.sampled_from([8, 64, 224]),  # side of the view
    st.integers(1, 20),  # cells
    st.booleans(),  # flipped
    st.sampled_from([0.2, 4.0, 15.0, 100.0]),
)


@settings(max_examples=150, deadline=None)
@given(cases)
def test_law_the_map_sums_to_the_number_of_points_inside(case):
    seed, number, side, size, cells, flip, sigma = case
    rng = np.random.default_rng(seed)
    left, top = rng.integers(0, 100 - side, 2)
    anywhere = rng.random((number, 2)) * 100
    edges = [[left, top], [left + side, top], [left, top + side], [0, 0], [100, 100], [left + side, top + side]]
    twice = [[left + side / 2, top + side / 2]] * 2
    values = np.concatenate([anywhere, edges, twice]) if number else np.empty((0, 2))
    points = of(values, 100, 100).moved(crop_map(left, top, side, side, size, flip), torch.tensor([[size, size]]))
    made = draw(points, cells, cells, Gaussians(sigma, None, 0.3), inside=True)
    box = ((values >= [left, top]) & (values < [left + side, top + side])).all(axis=1)
    assert points.numbers().tolist() == [box.sum()]
    assert abs(float(made.sum()) - box.sum()) < 1e-4
    assert (made >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.booleans())
def test_law_windows_side_by_side_are_the_map_of_the_whole(seed, cut, flip):
    """The paper's target: windows of one map add up to it, each with a fractional sum of its own."""
    rng = np.random.default_rng(seed)
    points = of(rng.random((9, 2)) * 64, 64, 64)
    whole = draw(points, 4, 4, FIXED, inside=False)[0, 0]
    parts = []
    for left, width in ((0, 16 * cut), (16 * cut, 64 - 16 * cut)):
        map_ = torch.tensor([[[-1.0 if flip else 1.0, 0, left + width if flip else -left], [0, 1.0, 0]]])
        window = points.moved(map_.double(), torch.tensor([[64, width]]))
        part = draw(window, 4, width // 16, FIXED, inside=False)[0, 0]
        parts.append(part.flip(1) if flip else part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)
    assert float(whole.sum()) < 9  # what lies beyond the image is not in it


def test_kernels_follow_the_scale_of_the_image():
    """The same crop at twice the size has the same map."""
    points = of(np.random.default_rng(1).random((6, 2)) * 50, 50, 50)
    maps = [
        draw(points.moved(crop_map(5, 5, 40, 40, size, False), torch.tensor([[size, size]])), 8, 8, FIXED, inside=True)
        for size in (40, 80, 20)
    ]
    torch.testing.assert_close(maps[0], maps[1])
    torch.testing.assert_close(maps[0], maps[2])


def test_adaptive_kernels_are_as_wide_as_neighbours_are_far():
    values = np.array([[10.0, 10, 4], [30, 30, 40], [50, 50, np.nan]])
    points = Points.of([values], torch.tensor([[64, 64]]))
    widths = Gaussians(15.0, 0.3, 0.3).widths(points, torch.tensor([[2.0, 4.0]], dtype=torch.float64))
    np.testing.assert_allclose(widths, [[0.6, 0.3], [6, 3], [7.5, 3.75]])
    half = points.moved(crop_map(0, 0, 64, 64, 32, False), torch.tensor([[32, 32]]))
    small = Gaussians(15.0, 0.3, 0.1).widths(half, torch.tensor([[1.0, 1.0]], dtype=torch.float64))
    np.testing.assert_allclose(small, [[0.6, 0.6], [6, 6], [7.5, 7.5]])
