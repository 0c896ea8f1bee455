"""GAME against loops over cells and points, and its laws."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_counting.evaluation.game import game, in_regions, points_in_regions

LAW = settings(max_examples=80, deadline=None, derandomize=True)


@st.composite
def cases(draw):
    """A map, points, and the size of the image; nothing divides anything."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    density = rng.normal(0.3, 0.5, (draw(st.integers(1, 13)), draw(st.integers(1, 13))))
    number = draw(st.integers(0, 12))
    points = np.column_stack([rng.uniform(0, width, number), rng.uniform(0, height, number), np.full(number, np.nan)])
    if draw(st.booleans()):
        points[:, :2] = np.floor(points[:, :2])  # on the borders of regions too
    return density, points, (height, width)


def overlap(cell, cells, region, side):
    """The exact share of a cell of a line that lies in a region of it."""
    start = max(Fraction(cell), Fraction(region * cells, side))
    end = min(Fraction(cell + 1), Fraction((region + 1) * cells, side))
    return max(Fraction(0), end - start)


def slow(density, points, size, level):
    """Region by region, cell by cell, point by point."""
    side, total = 2**level, 0.0
    height, width = density.shape
    for row in range(side):
        for column in range(side):
            predicted = sum(
                density[y, x] * float(overlap(y, height, row, side) * overlap(x, width, column, side))
                for y in range(height)
                for x in range(width)
            )
            true = sum(
                column * size[1] <= x * side < (column + 1) * size[1]
                and row * size[0] <= y * side < (row + 1) * size[0]
                for x, y, _ in points.tolist()
            )
            total += abs(predicted - true)
    return total


@LAW
@given(cases(), st.integers(0, 3))
def test_equals_the_sum_over_regions_cells_and_points(case, level):
    assert game(*case, level) == pytest.approx(slow(*case, level), abs=1e-9)


@LAW
@given(cases())
def test_level_0_is_the_absolute_error_and_further_levels_never_fall(case):
    density, points, _ = case
    values = [game(*case, level) for level in range(5)]
    assert values[0] == pytest.approx(abs(density.sum() - len(points)), abs=1e-9)
    assert (np.diff(values) >= -1e-9).all()


@LAW
@given(cases(), st.integers(1, 9))
def test_regions_sum_to_the_whole(case, side):
    density, points, size = case
    assert in_regions(density, side).sum() == pytest.approx(density.sum(), abs=1e-9)
    assert points_in_regions(points, size, side).sum() == len(points)


def test_a_point_on_a_border_belongs_to_the_region_that_starts_there():
    points = np.array([[5.0, 0.0], [np.nextafter(5.0, 0), 0.0], [0.0, 4.0], [np.nextafter(10.0, 0), 7.9]])
    np.testing.assert_array_equal(points_in_regions(points, (8, 10), 2), [[1, 1], [1, 1]])


def test_points_off_the_image_are_counted_in_the_nearest_region():
    points = np.array([[-3.0, 2.0], [10.0, 8.0], [400.0, -1.0]])
    np.testing.assert_array_equal(points_in_regions(points, (8, 10), 2), [[1, 1], [0, 1]])


def test_a_cell_across_a_border_is_shared_by_area():
    density = np.array([[1.0, 2.0, 4.0]])
    np.testing.assert_allclose(in_regions(density, 2), [[1.0, 2.5], [1.0, 2.5]])


def test_the_right_count_in_the_wrong_place():
    density = np.zeros((4, 4))
    density[0, 0] = 3.0
    points = np.array([[30.0, 30.0]] * 3)
    assert [game(density, points, (32, 32), level) for level in range(3)] == [0.0, 6.0, 6.0]
