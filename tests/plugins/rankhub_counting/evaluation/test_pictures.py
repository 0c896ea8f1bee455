"""What the pictures of counting show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rankhub_counting.evaluation.scatter import scatter
from rankhub_counting.overlay import LONGEST, MOST_DOTS, overlay

GREY = torch.full((3, 120, 160), 120, dtype=torch.uint8)


def coloured(picture):
    """[H, W] bool: where the picture has a colour."""
    return np.ptp(picture.astype(int), axis=2) > 40


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_density_is_drawn_where_it_is(corner):
    density = torch.zeros(6, 8)
    density[corner] = 2.0
    picture = overlay(GREY, density, 2.0)
    bare = overlay(GREY, torch.zeros(6, 8), 0.0)
    rows, columns = np.nonzero((coloured(picture) & ~coloured(bare))[:, : int(0.75 * picture.shape[1])])
    middle = 0.5 * picture.shape[0], 0.4 * picture.shape[1]
    assert (np.median(rows) > middle[0]) == (corner[0] == -1)
    assert (np.median(columns) > middle[1]) == (corner[1] == -1)


def test_large_photos_are_reduced_and_small_ones_enlarged():
    density = np.ones((3, 4))
    large = overlay(torch.zeros(3, 1500, 2000, dtype=torch.uint8), density, 12.0)
    small = overlay(torch.zeros(3, 30, 40, dtype=torch.uint8), density, 12.0)
    assert LONGEST < large.shape[1] < LONGEST + 200
    assert 360 < small.shape[1] < 560
    assert large.dtype == small.dtype == np.uint8


def test_true_points_are_drawn_where_they_are_few():
    density = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    plain = overlay(GREY, density, 1.0)
    for number in (0, 1, MOST_DOTS, MOST_DOTS + 1):
        given = overlay(GREY, density, 1.0, points=rng.uniform(0, 120, (number, 3)))
        assert np.array_equal(given, plain) == (not 0 < number <= MOST_DOTS)


def test_names_counts_and_units_are_written():
    density = torch.ones(1, 6, 8)
    pictures = [
        overlay(GREY, density.numpy(), 48.0),
        overlay(GREY, density, 48.0, 50.0),
        overlay(GREY, density, 48.0, unit="cells"),
        overlay(GREY, density, 48.0, name="a.png"),
    ]
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_a_map_without_density_and_one_below_0_are_drawn():
    for density in (torch.zeros(6, 8), -torch.ones(6, 8)):
        picture = overlay(GREY, density, float(density.sum()), 3.0, name="a/" + "long" * 60)
        assert not coloured(picture)[:, : int(0.75 * picture.shape[1])].any()


@pytest.mark.parametrize(
    ("counts", "predicted"),
    [
        ([5.0, 100.0, 4000.0], [3.0, 120.0, 2500.0]),
        ([0.0, 100.0, 4000.0], [-8.0, 120.0, 2500.0]),
        ([5.0, 100.0, 4000.0], [0.0, 0.0, 0.0]),
        ([50.0, 60.0, 70.0], [52.0, 61.0, 69.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([7.0], [7.0]),
    ],
)
def test_counts_of_any_range_are_drawn(counts, predicted):
    counts, predicted = np.array(counts), np.array(predicted)
    picture = scatter("t", predicted, counts, "people", float(counts.mean()))
    assert picture.shape == (660, 700, 3)
    blue = (picture[..., 2].astype(int) - picture[..., 0]) > 60
    assert blue.sum() > 20
    assert not np.array_equal(picture, scatter("t", predicted + 1, counts, "people"))
