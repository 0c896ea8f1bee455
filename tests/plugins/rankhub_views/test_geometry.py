from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.draws import Draws
from rankhub_points import Points
from rankhub_views.parameters import Boxes, Turn, compose, random_boxes

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def draws(count: int, seed: int = 0):
    return Draws(seed, "test", 0).at(np.arange(count), 0)


def slow_box(number, drawn, size, scale, ratio):
    """torchvision's RandomResizedCrop.get_params, line by line, on the same numbers."""
    height, width = size
    area, aspect = drawn.uniforms("area", 10, *scale), drawn.uniforms("ratio", 10, *np.log(ratio))
    for attempt in range(10):
        target, shape = height * width * area[number, attempt], np.exp(aspect[number, attempt])
        w, h = round(np.sqrt(target * shape)), round(np.sqrt(target / shape))
        if 0 < w <= width and 0 < h <= height:
            top, left = drawn.uniform("top")[number], drawn.uniform("left")[number]
            return int(top * (height - h + 1)), int(left * (width - w + 1)), h, w
    own = width / height
    if own < min(ratio):
        w, h = width, max(1, round(width / min(ratio)))  # torchvision's may be 0 here, and then fails
    elif own > max(ratio):
        w, h = max(1, round(height * max(ratio))), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(
    ("scale", "ratio"), [(SCALE, RATIO), ((0.9, 1.0), (0.9, 1.1)), ((1.0, 1.0), (2.0, 3.0)), ((0.01, 0.02), (1.0, 1.0))]
)
def test_boxes_follow_torchvisions_law(scale, ratio):
    sizes = np.array([(64, 64), (30, 200), (200, 30), (1, 1), (1, 7), (7, 1), (2, 3), (40, 41)] * 20)
    drawn = draws(len(sizes))
    boxes = random_boxes(drawn, sizes, scale, ratio, 0.5)
    for number, size in enumerate(sizes):
        mine = tuple(int(part[number]) for part in (boxes.top, boxes.left, boxes.height, boxes.width))
        assert mine == slow_box(number, drawn, size, scale, ratio)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**40), st.floats(0.01, 1), st.floats(0.2, 5))
def test_law_boxes_lie_inside_the_image(height, width, seed, low, ratio):
    boxes = random_boxes(draws(16, seed), np.tile([height, width], (16, 1)), (low, 1.0), (ratio, ratio * 1.5), 0.5)
    assert (boxes.height >= 1).all()
    assert (boxes.width >= 1).all()
    assert ((boxes.top >= 0) & (boxes.top + boxes.height <= height)).all()
    assert ((boxes.left >= 0) & (boxes.left + boxes.width <= width)).all()


def test_area_and_flip_are_distributed_as_stated():
    boxes = random_boxes(draws(4000), np.tile([400, 400], (4000, 1)), (0.2, 0.6), RATIO, 0.3)
    share = boxes.height * boxes.width / 400**2
    assert 0.19 < share.min() < 0.21
    assert 0.59 < share.max() < 0.61
    assert abs(share.mean() - 0.4) < 0.01
    assert abs(boxes.flip.mean() - 0.3) < 0.03
    never, always = (
        random_boxes(draws(100), np.tile([9, 9], (100, 1)), SCALE, RATIO, chance).flip for chance in (0, 1)
    )
    assert not never.any()
    assert always.all()


def box(top, left, height, width, flip) -> Boxes:
    return Boxes(*(np.array([value]) for value in (top, left, height, width, flip)))


def test_maps_send_the_corners_of_the_box_to_the_corners_of_the_view():
    for flip in (False, True):
        matrix = box(10, 20, 30, 60, flip).maps(12)[0].numpy()
        left, right = (12, 0) if flip else (0, 12)
        np.testing.assert_allclose(matrix @ [20, 10, 1], [left, 0])
        np.testing.assert_allclose(matrix @ [80, 40, 1], [right, 12])
        np.testing.assert_allclose(matrix @ [50, 25, 1], [6, 6])


def test_maps_of_a_turned_box_send_its_corners_to_those_of_the_view():
    """A quarter turn clockwise brings the box's left top corner to its right top, seen from the view's axes."""
    flips = np.array([False, True])
    sides = (np.full(2, value) for value in (10, 20, 30, 60))
    boxes = Boxes(*sides, flips, Turn(np.full(2, np.pi / 2), np.full((2, 2), 200)))
    for row, (left, right) in enumerate([(0, 12), (12, 0)]):
        matrix = boxes.maps(12)[row].numpy()
        np.testing.assert_allclose(matrix @ [50, 25, 1], [6, 6], atol=1e-9)  # the middle
        np.testing.assert_allclose(matrix @ [50 + 15, 25 - 30, 1], [left, 0], atol=1e-9)
        np.testing.assert_allclose(matrix @ [50 - 15, 25 + 30, 1], [right, 12], atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.floats(-np.pi, np.pi), st.booleans(), st.integers(0, 10**6))
def test_law_of_turned_boxes_side_by_side_exactly_one_has_a_point(angle, flip, seed):
    """Four boxes around a point, turned with it as they lie: points fall into the one that a slow look finds."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 100, (40, 2))
    middle, half = np.array([50.0, 50.0]), np.array([8, 5])
    across, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    points = Points.of([values], torch.tensor([[100, 100]]))
    inside = []
    for side in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        x, y = middle + side[0] * half[0] * across + side[1] * half[1] * down
        # A box in whole pixels cannot stand there, so its map is moved by the rest.
        left, top = np.floor([x, y]).astype(int) - half
        boxes = box(top, left, 2 * half[1], 2 * half[0], flip)
        boxes = replace(boxes, turn=Turn(np.array([angle]), np.array([[100, 100]])))
        moved = boxes.maps(16)
        moved[0, :, 2] -= moved[0, :, :2] @ torch.tensor([x % 1, y % 1])
        found = points.moved(moved, torch.tensor([[16, 16]]))
        inside.append(found.inside.numpy())
        away = values - [x, y]
        slow = (abs(away @ across) < half[0]) & (abs(away @ down) < half[1])
        np.testing.assert_array_equal(found.inside.numpy(), slow)
        np.testing.assert_allclose(found.scales, [16 / np.sqrt(4 * half.prod())])
    away = values - middle
    around = (abs(away @ across) < 2 * half[0]) & (abs(away @ down) < 2 * half[1])
    np.testing.assert_array_equal(np.sum(inside, axis=0), around)


def test_compose_is_one_map_after_the_other():
    generator = torch.Generator().manual_seed(0)
    first, then = torch.rand(2, 4, 2, 3, generator=generator, dtype=torch.float64)
    point = torch.tensor([3.0, 5.0, 1.0], dtype=torch.float64)
    middle = torch.cat([first @ point, torch.ones(4, 1, dtype=torch.float64)], dim=1)
    torch.testing.assert_close(compose(first, then) @ point, (then @ middle[:, :, None])[:, :, 0])
