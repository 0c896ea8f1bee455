"""Nested crops."""

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
from rankhub_counting.nested_crops import NestedCrops
from rankhub_counting.squares import Square
from rankhub_points import PointLabels

DRAWS = Draws(3, "ranked", 5, 1)


def image(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8))


def box(view):
    """Left, top, right and bottom of a view in its source, read off its map."""
    inverse = np.linalg.inv(np.vstack([view.map, [0, 0, 1]]))
    x, y = (inverse @ np.array([[0, view.image.shape[2]], [0, view.image.shape[1]], [1, 1]]))[:2]
    return np.array([x.min(), y.min(), x.max(), y.max()])


def test_the_worked_check_of_a_photo():
    """1024 x 768 with the point in the middle, as worked out by hand."""
    by_area, by_side = NestedCrops(), NestedCrops(scale_of="side")
    middle = (512.0, 384.0)
    sides = [by_area.square(1024, 768, middle, position).side for position in range(5)]
    assert sides == pytest.approx([768, 665.1, 576, 498.8, 432], abs=0.05)
    assert [by_side.square(1024, 768, middle, position).side for position in range(5)] == [768, 576, 432, 324, 243]
    assert by_area.square(1024, 768, middle, 0) == Square(128, 0, 768)
    assert by_area.share * 1024 == pytest.approx(362.04, abs=0.005)
    assert by_area.share * 768 == pytest.approx(271.53, abs=0.005)
    assert NestedCrops(anchor_of="side").share == 1 / 8


def test_points_fill_their_rectangle():
    step = NestedCrops(crops=2, size=4, sets=400, smallest=1)
    views = step.apply([View(image(48, 64), 0)], DRAWS)
    centres = np.array([(box(view)[:2] + box(view)[2:]) / 2 for view in views[::2]]) - (32, 24)
    reach = np.array([64, 48]) * np.sqrt(1 / 8) / 2
    assert (np.abs(centres) <= reach).all()
    assert (np.abs(centres).max(axis=0) > 0.97 * reach).all()
    assert np.abs(centres.mean(axis=0)).max() < 1.5
    assert centres.std(axis=0) == pytest.approx(reach / np.sqrt(3), rel=0.1)


settings_of_crops = st.fixed_dictionaries(
    {
        "crops": st.integers(2, 6),
        "scale": st.floats(0.3, 0.99),
        "scale_of": st.sampled_from(["area", "side"]),
        "anchor": st.floats(1.5, 20),
        "anchor_of": st.sampled_from(["area", "side"]),
        "sets": st.integers(1, 3),
        "size": st.integers(1, 20),
        "flip": st.sampled_from([0.0, 0.5]),
    }
)


@settings(max_examples=60, deadline=None)
@given(settings_of_crops, st.integers(2, 60), st.integers(2, 60), st.integers(0, 10**6), st.data())
def test_a_crop_lies_inside_the_one_before_and_never_holds_more(options, height, width, seed, data):
    step = NestedCrops(**options, smallest=1)
    if min(height, width) < step.needed:
        return
    rng = np.random.default_rng(seed)
    points = rng.uniform((0, 0), (width, height), (data.draw(st.integers(0, 60)), 2))
    if data.draw(st.booleans()):
        points = np.floor(points)  # many share a place, and lie on edges
    views = step.apply([View(image(height, width), 2, label=points)], Draws(seed, "s", 0))
    sizes = [view.image.shape for view in views]
    assert sizes == [(3, options["size"], options["size"])] * (options["crops"] * options["sets"])
    counts = collate(views, options["sets"], PointLabels()).target.label.numbers().tolist()
    for kind in range(options["sets"]):
        rows = [row for row, view in enumerate(views) if view.kind == kind]
        assert [views[row].level for row in rows] == list(range(options["crops"] - 1, -1, -1))
        boxes = np.array([box(views[row]) for row in rows])
        assert (boxes[0] >= (-1e-9, -1e-9, -np.inf, -np.inf)).all()
        assert (boxes[0, 2:] <= np.array([width, height]) + 1e-9).all()
        # The largest one touches an edge of the image.
        assert np.abs(np.concatenate([boxes[0, :2], (width, height) - boxes[0, 2:]])).min() < 1e-9
        assert (np.diff(boxes[:, :2], axis=0) > 0).all()
        assert (np.diff(boxes[:, 2:], axis=0) < 0).all()
        ratio = np.diff(np.log(boxes[:, 2] - boxes[:, 0]))
        power = 2 if options["scale_of"] == "area" else 1
        assert np.exp(ratio * power) == pytest.approx(options["scale"])
        assert (boxes[-1, 2:] - boxes[-1, :2]).min() >= 1 - 1e-9
        assert all(
            a >= b for a, b in zip([counts[row] for row in rows], [counts[row] for row in rows][1:], strict=False)
        )


@pytest.mark.parametrize("options", [{}, {"scale_of": "side", "crops": 3}, {"anchor": 2.0, "smallest": 20}])
def test_images_that_could_have_too_small_a_crop_are_named(options):
    step = NestedCrops(size=8, **options)
    needed = step.needed
    sizes = np.array([[needed, needed], [needed - 1, 4 * needed], [needed, 3 * needed], [300, 1]])
    sentence, which = step.check_images(sizes)
    assert which.tolist() == [False, True, False, True]
    assert sentence.startswith("are too small: ")
    assert f"shorter side of at least {needed} for the smallest crop to have {step.smallest}; set fewer" in sentence
    assert step.check_images(sizes[[0, 2]]) is None
    # The bound is kept, and is no wider than it has to be: near the corner of the rectangle it is met.
    corner = needed * (0.5 - step.share / 2)
    least = step.square(needed, needed, (corner, corner), step.crops - 1).side
    assert step.smallest - 1e-9 <= least < step.smallest + 1
    with pytest.raises(UserError, match=rf"the image a.png has {needed} x {needed - 1} pixels: {step.crops} nested"):
        step.apply([View(image(needed - 1, needed), 0, meta={"path": "a.png"})], DRAWS)


def test_each_crop_shows_its_own_square():
    """A picture whose red is its column and whose green is its row: the middle of a crop is its centre."""
    y, x = np.mgrid[0:120, 0:160]
    source = torch.from_numpy(np.stack([x, y, 0 * x]).astype(np.uint8))
    for view in NestedCrops(size=21, flip=0.5).apply([View(source, 7)], DRAWS):
        left, top, right, bottom = box(view)
        assert view.image[0, 10, 10] + 0.5 == pytest.approx((left + right) / 2, abs=1)
        assert view.image[1, 10, 10] + 0.5 == pytest.approx((top + bottom) / 2, abs=1)
        flipped = view.map[0, 0] < 0
        assert (view.image[0, 10, 2] > view.image[0, 10, 18]) == flipped


def test_flips_are_each_crops_own():
    step = NestedCrops(size=4, crops=3, sets=100, flip=0.5, smallest=1)
    flipped = np.array([v.map[0, 0] < 0 for v in step.apply([View(image(40, 40), 0)], DRAWS)]).reshape(100, 3)
    assert 0.4 < flipped.mean() < 0.6
    assert len(np.unique(flipped, axis=0)) == 8
    plain = NestedCrops(size=4, crops=3, sets=100, smallest=1).apply([View(image(40, 40), 0)], DRAWS)
    assert all(view.map[0, 0] > 0 for view in plain)


def test_crops_follow_from_the_address():
    step = NestedCrops(size=8, sets=3, flip=0.5)
    views = step.apply([View(image(100, 130), 4)], DRAWS)
    again = step.apply([View(image(100, 130), 4)], DRAWS)
    assert all(
        torch.equal(a.image, b.image) and np.array_equal(a.map, b.map) for a, b in zip(views, again, strict=True)
    )
    assert len({tuple(box(view).round(6)) for view in views}) == 15
    # The first set is the same however many follow.
    alone = NestedCrops(size=8, flip=0.5).apply([View(image(100, 130), 4)], DRAWS)
    assert all(np.array_equal(a.map, b.map) for a, b in zip(alone, views[:5], strict=True))
    for other in (Draws(4, "ranked", 5, 1), Draws(3, "ranked", 6, 1), Draws(3, "ranked", 5, 2)):
        assert not np.array_equal(step.apply([View(image(100, 130), 4)], other)[0].map, views[0].map)
    assert not np.array_equal(step.apply([View(image(100, 130), 5)], DRAWS)[0].map, views[0].map)


def test_views_keep_what_they_are_and_go_on_from_the_map_before():
    label = np.array([[3.0, 4.0, np.nan]])
    before = np.array([[2.0, 0.0, 3.0], [0.0, 0.5, -1.0]])
    view = View(image(100, 120), 5, map=before, label=label, meta={"path": "a"})
    step = NestedCrops(size=8, sets=2)
    views = step.apply([view], DRAWS)
    plain = step.apply([replace(view, map=np.eye(3)[:2])], DRAWS)
    assert [v.view for v in views] == list(range(10))
    for crop, other in zip(views, plain, strict=True):
        assert (crop.index, crop.meta) == (5, {"path": "a"})
        assert crop.label is label
        point = np.array([4.0, 7.0, 1.0])
        assert np.allclose(crop.map @ point, other.map @ np.array([*(before @ point), 1.0]))


def test_the_plan():
    assert NestedCrops().plan(ViewSpec()) == ViewSpec(5, 1, "ordered", ((5, 224),), ("nested",))
    two = NestedCrops(crops=3, sets=2, size=96).plan(ViewSpec())
    assert two == ViewSpec(6, 2, "ordered", ((6, 96),), ("nested 1", "nested 2"))
    with pytest.raises(Objection, match="takes one view of each image, 20 come in; put it first"):
        NestedCrops().plan(ViewSpec(20, 4, "ordered", ((20, None),)))
    with pytest.raises(Objection, match="the views that come in have 64 pixels a side, 5 nested crops need"):
        NestedCrops().plan(ViewSpec(sizes=((1, 64),)))
    NestedCrops().plan(ViewSpec(sizes=((1, 256),)))
