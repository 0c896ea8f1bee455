"""Laws of points in images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.marks import as_points
from rankhub_data.placed import INSIDE, extents, placed
from rankhub_points import Points

SIZES = st.tuples(st.integers(1, 900), st.integers(1, 900))


@st.composite
def images_with_points(draw):
    """Height and width in the file, as served, and points inside the file's image."""
    height, width = draw(SIZES)
    share = draw(st.floats(0.05, 1))
    served = (max(1, round(height * share)), max(1, round(width * share)))
    unit = st.floats(0, 1, exclude_max=True)
    points = draw(st.lists(st.tuples(unit, unit), max_size=12))
    return (height, width), served, np.array(points).reshape(-1, 2) * [width, height]


@given(images_with_points())
def test_points_follow_resizing_exactly_and_none_is_lost(drawn):
    source, served, points = drawn
    found = placed(points, source, served)
    assert len(found.points) == len(points)
    assert len(found.outside) == 0
    edge = np.array(served[::-1], dtype=float)
    expected = points * (edge / np.array(source[::-1], dtype=float))
    apart = expected - found.points[:, :2]
    assert ((apart == 0) | (expected > edge - INSIDE)).all()
    assert (np.abs(apart) < 1.01 * INSIDE).all()
    assert ((found.points[:, :2] >= 0) & (found.points[:, :2] < edge)).all()


@given(images_with_points())
def test_the_engine_finds_all_of_them_inside_the_whole_image(drawn):
    source, served, points = drawn
    sizes = torch.tensor([served])
    flip = torch.tensor([[[-1.0, 0, served[1]], [0, 1, 0]]], dtype=torch.float64)
    label = Points.of([placed(points, source, served).points], sizes)
    for moved in (label, label.moved(flip, sizes)):
        assert moved.numbers().tolist() == [len(points)]


def test_points_a_pixel_outside_are_moved_to_the_border_and_others_are_not():
    points = np.array([[-1.0, 5], [60.5, 41], [60, 3], [61.01, 5], [5, -1.01], [30, 20]])
    found = placed(points, (40, 60), (40, 60))
    assert found.points[:, :2].tolist() == [[0, 5], [60 - INSIDE, 40 - INSIDE], [60 - INSIDE, 3], [30, 20]]
    assert found.moved == 3
    assert found.outside.tolist() == [[61.01, 5], [5, -1.01]]


@pytest.mark.parametrize(
    ("points", "swapped"),
    [
        ([[20, 50], [30, 55], [10, 10]], True),
        ([[20, 50], *([[10, 10]] * 9)], True),
        ([[20, 50], *([[10, 10]] * 10)], False),
        ([[200, 500], [-20, 10]], False),
        ([[10, 10]], False),
        ([], False),
    ],
)
def test_exchanged_columns_are_noticed(points, swapped):
    """In an image of 60 x 40 pixels (20, 50) is outside, (50, 20) is not."""
    assert placed(np.array(points, dtype=float).reshape(-1, 2), (40, 60), (40, 60)).swapped == swapped


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_extents_are_the_mean_distance_to_the_three_nearest_others(points):
    points = np.array(points, dtype=float).reshape(-1, 2)
    found = extents(points)
    for number, point in enumerate(points):
        others = np.delete(points, number, axis=0)
        nearest = sorted(np.hypot(*(others - point).T))[:3]
        expected = np.mean(nearest) if len(nearest) == 3 else np.nan
        assert found[number] == pytest.approx(expected, nan_ok=True)


def test_extents_are_in_pixels_of_the_image_as_it_is_served():
    points = np.array([[0.0, 0], [8, 0], [0, 8], [8, 8]])
    whole, half = (placed(points, (40, 60), size).points[:, 2] for size in ((40, 60), (20, 30)))
    assert whole == pytest.approx((8 + 8 + 8 * 2**0.5) / 3)
    assert half == pytest.approx(whole / 2)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.ones((2, 5)), r"x\.mat holds 2 x 5 numbers in place of rows of x and y"),
        (np.ones(4), r"x\.mat holds 4 numbers in place of rows"),
        ([[1, 2], [np.nan, 3], [np.inf, 1]], r"x\.mat: 2 of 3 points are no finite number"),
        ([["a", 2]], "holds no rows of two numbers"),
        ([[1, 2], [3]], "holds no rows of two numbers"),
        (np.empty((0, 2)), "holds no point; an image of this set has some"),
    ],
)
def test_what_is_no_list_of_points_is_one_sentence(value, said):
    with pytest.raises(UserError, match=said) as caught:
        as_points("x.mat", value, may_be_empty=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("nothing", [[], np.empty((0, 0)), np.empty((0, 2)), [[]]])
def test_no_point_may_be_right(nothing):
    assert as_points("x.mat", nothing, may_be_empty=True).shape == (0, 2)
