"""Points follow their image into its views, and none is lost or counted twice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_points import Points


def crop(left, top, width, height, size, flip=False, upside_down=False):
    """[2, 3] from an image to ``size`` x ``size`` pixels of a box in it."""
    x, y = size / width, size / height
    map_ = np.array([[x, 0, -left * x], [0, y, -top * y]])
    if flip:
        map_[0] = [-x, 0, size + left * x]
    if upside_down:
        map_[1] = [0, -y, size + top * y]
    return torch.from_numpy(map_)


def square(n, side):
    return torch.full((n, 2), side, dtype=torch.int64)


def test_points_of_images():
    points = Points.of(
        [np.array([[1.0, 2.0, 5.0]]), np.empty((0, 2)), np.array([[3.0, 4.0], [3.0, 4.0]])], square(3, 9)
    )
    assert points.numbers().tolist() == points.counts.tolist() == [1, 0, 2]
    assert points.extents.isnan().tolist() == [False, True, True]
    assert [part.tolist() for part in points] == [[[1, 2]], [], [[3, 4], [3, 4]]]
    assert Points.of([], square(0, 1)).numbers().tolist() == []


@pytest.mark.parametrize("flip", [False, True])
def test_a_box_holds_its_left_and_top_edge_also_when_it_is_flipped(flip):
    values = np.array([[20, 10], [79.99, 39.99], [80, 20], [30, 40], [19.99, 20], [50, 25]])
    points = Points.of([values], torch.tensor([[50, 100]]))
    moved = points.moved(crop(20, 10, 60, 30, 12, flip)[None], square(1, 12))
    assert moved.inside.tolist() == [True, True, False, False, False, True]
    x = [0, 11.998, 6]
    expected = [[12 - at, y] if flip else [at, y] for at, y in zip(x, [0, 11.996, 6], strict=True)]
    np.testing.assert_allclose(next(iter(moved)), expected, atol=1e-9)
    assert moved.flipped.tolist() == [[flip, False]]


def test_sizes_grow_with_the_view_and_scales_multiply():
    points = Points.of([np.array([[10.0, 10.0, 4.0]])], square(1, 40))
    once = points.moved(crop(0, 0, 20, 20, 40)[None], square(1, 40))
    twice = once.moved(crop(0, 0, 40, 40, 10)[None], square(1, 10))
    assert once.extents.tolist() == [8]
    assert once.scales.tolist() == [2]
    assert twice.extents.tolist() == [2]
    assert twice.scales.tolist() == [0.5]
    assert twice.sizes.tolist() == [[10, 10]]


def test_a_point_that_was_cut_off_does_not_come_back():
    points = Points.of([np.array([[30.0, 5.0]])], square(1, 40))
    cut = points.moved(crop(0, 0, 20, 20, 20)[None], square(1, 20))
    wider = cut.moved(torch.tensor([[[0.5, 0, 0], [0, 0.5, 0]]]), square(1, 20))
    assert wider.values.tolist() == [[15, 2.5]]  # within the view's pixels, which show something else there
    assert wider.numbers().tolist() == [0]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.integers(1, 19),
    st.booleans(),
    st.booleans(),
    st.sampled_from([7, 20, 224]),
)
def test_law_boxes_side_by_side_share_all_points(seed, cut, row, flip, upside_down, size):
    rng = np.random.default_rng(seed)
    whole = np.stack([rng.integers(0, 41, 30), rng.integers(0, 20, 30)], axis=1)  # many of them on the edges
    values = np.concatenate([whole, rng.random((20, 2)) * [41, 20], [[0, 0], [cut, row], [cut, row]]])
    boxes = [(0, 0, cut, row), (cut, 0, 41 - cut, row), (0, row, cut, 20 - row), (cut, row, 41 - cut, 20 - row)]
    maps = torch.stack([crop(*box, size, flip, upside_down) for box in boxes])
    points = Points.of([values], torch.tensor([[20, 41]])).rows(torch.zeros(4, dtype=torch.int64))
    moved = points.moved(maps, square(4, size))
    assert int(moved.numbers().sum()) == len(values)
    for part in moved:
        assert ((part >= -1e-6) & (part <= size + 1e-6)).all()
    # One after the other is the same as at once.
    first = points.moved(maps, square(4, size))
    again = first.moved(crop(0, 0, size, size, 11, True)[None].repeat(4, 1, 1), square(4, 11))
    assert again.numbers().tolist() == moved.numbers().tolist()
    # Each point lies where its map says.
    at = maps[1].numpy() @ np.concatenate([values, np.ones((len(values), 1))], axis=1).T
    np.testing.assert_allclose(moved.values[moved.owner == 1], at.T, atol=2e-6)


@pytest.mark.parametrize("flip", [False, True])
def test_cells_hold_the_edges_that_their_view_holds(flip):
    values = np.array(
        [[0.0, 0.0], [16.0, 8.0], [15.999, 8.0], [48.0, 31.0], [32.0, 31.999], [0.0, 16.0], [5.0, 5.0], [5.0, 5.0]]
    )
    points = Points.of([values, np.empty((0, 2))], square(2, 64))
    points = points.moved(torch.stack([crop(0, 0, 64, 64, 64, flip)] * 2), points.sizes)
    found = points.numbers_in_cells(4, 4)
    wanted = torch.tensor([[4, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert found[0].tolist() == (wanted.flip(1) if flip else wanted).tolist()
    assert found[1].sum() == 0
    assert points.numbers_in_cells(1, 1).flatten().tolist() == points.numbers().tolist()


@pytest.mark.parametrize("flip", [False, True])
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_law_cells_share_the_points_of_their_view(flip, seed, height, width):
    values = np.random.default_rng(seed).integers(0, 101, (60, 2)).astype(float)
    points = Points.of([values], square(1, 100)).moved(crop(10, 20, 70, 70, 35, flip)[None], square(1, 35))
    found = points.numbers_in_cells(height, width)
    assert found.shape == (1, height, width)
    assert int(found.sum()) == int(points.numbers())


def test_rows_may_be_taken_twice_and_parts_joined():
    points = Points.of([np.full((n, 2), n) for n in (2, 0, 3)], torch.tensor([[9, 9], [8, 8], [7, 7]]))
    picked = points.rows(torch.tensor([2, 2, 1, 0]))
    assert picked.counts.tolist() == [3, 3, 0, 2]
    assert picked.sizes.tolist() == [[7, 7], [7, 7], [8, 8], [9, 9]]
    assert [part.tolist() for part in picked] == [[[3, 3]] * 3, [[3, 3]] * 3, [], [[2, 2]] * 2]
    joined = Points.joined([points, picked])
    assert joined.numbers().tolist() == [2, 0, 3, 3, 3, 0, 2]
