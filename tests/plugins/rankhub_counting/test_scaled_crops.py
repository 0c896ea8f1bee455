"""Random squares of random size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.engine.feed import collate
from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub_counting.scaled_crops import ScaledCrops
from rankhub_points import PointLabels

DRAWS = Draws(3, "labeled", 5, 1)


def image(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8))


def squares(views):
    """[n, 3] left, top and side of each view in its source, read off the maps."""
    zoom = np.array([abs(view.map[0, 0]) for view in views])
    edges = np.array([-v.map[0, 2] if v.map[0, 0] > 0 else v.map[0, 2] - v.image.shape[2] for v in views])
    return np.stack([edges / zoom, [-v.map[1, 2] for v in views] / zoom, [v.image.shape[2] for v in views] / zoom], 1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(6, 50),
    st.integers(6, 50),
    st.integers(1, 6),
    st.integers(6, 80),
    st.sampled_from(["uniform", "log_uniform"]),
    st.integers(0, 10**6),
)
def test_squares_are_in_range_and_inside_and_hold_their_points(height, width, smallest, largest, law, seed):
    points = np.random.default_rng(seed).uniform((0, 0), (width, height), (30, 2))
    step = ScaledCrops(size=9, smallest=smallest, largest=largest, law=law, count=4, flip=0.5)
    views = step.apply([View(image(height, width), 1, label=points)], Draws(seed, "s", 0))
    found = squares(views)
    assert (found[:, :2] >= -1e-9).all()
    assert (found[:, :2] + found[:, 2:] <= np.array([width, height]) + 1e-9).all()
    assert (found[:, 2] >= smallest - 1e-9).all()
    assert (found[:, 2] <= min(largest, height, width) + 1e-9).all()
    numbers = collate(views, 1, PointLabels()).target.label.numbers().tolist()
    for (left, top, side), number in zip(found, numbers, strict=True):
        inside = (points >= (left, top)) & (points < (left + side, top + side))
        assert number == inside.all(axis=1).sum()


@pytest.mark.parametrize("law", ["uniform", "log_uniform"])
def test_sides_follow_their_law_and_places_are_even(law):
    step = ScaledCrops(size=1, smallest=10, largest=40, law=law, count=2000)
    left, top, side = squares(step.apply([View(image(60, 90), 0)], DRAWS)).T
    spread = np.log(side / 10) / np.log(4) if law == "log_uniform" else (side - 10) / 30
    for shares in (spread, left / (90 - side), top / (60 - side)):
        counts, _ = np.histogram(shares, 10, (0, 1))
        assert counts.sum() == 2000
        assert ((counts - 200) ** 2 / 200).sum() < 27.9  # 99.9 % of chi square with 9 degrees of freedom


def test_a_square_as_large_as_the_image_is_the_image():
    source = image(12, 12)
    (crop,) = ScaledCrops(size=12, smallest=12, largest=448).apply([View(source, 0)], DRAWS)
    assert torch.equal(crop.image, source)
    assert np.array_equal(crop.map, np.eye(3)[:2])


def test_squares_follow_from_the_address_and_views_keep_what_they_are():
    before = np.array([[2.0, 0.0, 3.0], [0.0, 0.5, -1.0]])
    label = np.array([[3.0, 4.0]])
    views = [View(image(60, 70), i, v, v, float(v), before, label, {"path": "a"}) for i in range(2) for v in range(2)]
    step = ScaledCrops(size=8, smallest=10, count=3, flip=0.5)
    together, alone = step.apply(views, DRAWS), [crop for view in views for crop in step.apply([view], DRAWS)]
    plain = step.apply([replace(view, map=np.eye(3)[:2]) for view in views], DRAWS)
    assert [crop.view for crop in together] == [0, 1, 2, 3, 4, 5] * 2
    point = np.array([4.0, 7.0, 1.0])
    for row, (a, b, c) in enumerate(zip(together, alone, plain, strict=True)):
        assert torch.equal(a.image, b.image)
        assert np.array_equal(a.map, b.map)
        assert np.allclose(a.map @ point, c.map @ np.array([*(before @ point), 1.0]))
        source = views[row // 3]
        assert (a.index, a.kind, a.level, a.meta) == (source.index, source.kind, source.level, {"path": "a"})
        assert a.label is label
    assert len({tuple(square.round(6)) for square in squares(together)}) == 12
    assert not np.array_equal(step.apply(views, Draws(3, "labeled", 6, 1))[0].map, together[0].map)


def test_the_plan_and_what_is_too_small():
    spec = ViewSpec(4, 2, "ordered", ((4, None),), ("a", "b"))
    assert ScaledCrops(count=3, size=96).plan(spec) == ViewSpec(12, 2, "ordered", ((12, 96),), ("a", "b"))
    with pytest.raises(Objection, match="the views that come in have 40 pixels a side, the least square has 56"):
        ScaledCrops().plan(ViewSpec(sizes=((1, 40),)))
    with pytest.raises(Objection, match="largest is 40, less than smallest, which is 56"):
        ScaledCrops(largest=40)
    sentence, which = ScaledCrops().check_images(np.array([[56, 56], [55, 90], [90, 12]]))
    assert sentence.startswith("are too small: the least square has 56; set a lower `smallest`")
    assert which.tolist() == [False, True, True]
    assert ScaledCrops().check_images(np.array([[56, 400]])) is None
    with pytest.raises(UserError, match="the image number 3 has 90 x 55 pixels: the least square has 56"):
        ScaledCrops().apply([View(image(55, 90), 3)], DRAWS)
