"""The Bayesian loss against a slow and obvious reference, and its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.pointed import target_of, views_of
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub_counting.bayesian_loss import BayesianPoints, posteriors
from rankhub_points import Points

OUTPUTS = {"map": OutputSpec("map", std=0.5), "count": OutputSpec("count")}


def slow(points, density, sigma, narrowest, background):
    """View by view, cell by cell, point by point."""
    total, (n, _, height, width) = 0.0, density.shape
    for row in range(n):
        rows, columns = points.sizes[row].tolist()
        scale, at = float(points.scales[row]), list(points)[row].tolist()
        spread = max(sigma * scale, narrowest * max(rows / height, columns / width))
        expected, of_background = [0.0] * len(at), 0.0
        for i in range(height):
            for j in range(width):
                y, x = (i + 0.5) * rows / height, (j + 0.5) * columns / width
                value = float(density[row, 0, i, j])
                distances = [math.hypot(x - px, y - py) for px, py in at]
                weights = [math.exp(-(d**2) / (2 * spread**2)) for d in distances]
                if not at:
                    of_background += value
                    continue
                if background is not None:
                    weights.append(math.exp(-((background * scale - min(distances)) ** 2) / (2 * spread**2)))
                    of_background += value * weights[-1] / sum(weights)
                expected = [e + value * w / sum(weights) for e, w in zip(expected, weights, strict=False)]
        total += (sum(abs(1 - e) for e in expected) + abs(of_background)) / (height * width * 0.5)
    return total


@pytest.mark.parametrize("background", [None, 12.0, 40.0])
@pytest.mark.parametrize(("sigma", "shape"), [(8.0, (6, 4)), (3.0, (4, 4)), (20.0, (1, 3)), (5.0, (12, 12))])
def test_the_loss_equals_the_slow_reference(sigma, shape, background):
    points = views_of(3)
    density = torch.rand(3, 1, *shape, dtype=torch.float64)
    loss = BayesianPoints(OUTPUTS, sigma=sigma, narrowest=0.5, background=background)
    target = target_of(points, 3)
    result = loss({"map": density}, target, LossContext(log=True))
    assert float(result.total) == pytest.approx(slow(points, density, sigma, 0.5, background), rel=1e-9)
    assert loss.count(target) == 3
    wrong = np.abs(density.sum(dim=(1, 2, 3)).numpy() - [len(one) for one in points]).mean()
    assert float(result.parts["count_error"]) == pytest.approx(wrong)


@pytest.mark.parametrize("background", [None, 30.0])
def test_gradients_are_right(background):
    points = views_of(4)
    density = torch.rand(3, 1, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loss = BayesianPoints(OUTPUTS, background=background)
    assert torch.autograd.gradcheck(
        lambda maps: loss({"map": maps}, target_of(points, 3), LossContext()).total, density.requires_grad_()
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20), st.floats(0.5, 50), st.one_of(st.none(), st.floats(1, 200)))
def test_law_the_posteriors_of_a_cell_sum_to_one(seed, number, sigma, background):
    rng = np.random.default_rng(seed)
    at, centres = (torch.from_numpy(rng.random((count, 2)) * 300) for count in (number, 15))
    far = None if background is None else torch.tensor(background, dtype=torch.float64)
    shares = posteriors(at, centres, torch.tensor(sigma, dtype=torch.float64), far)
    assert shares.shape == (number + (background is not None), 15)
    assert (shares >= 0).all()
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(15, dtype=torch.float64))


def apart(cells=((1, 1), (1, 6), (6, 2)), side=16.0):
    """Points in the middles of cells of a map of 8 by 8, and the map that has 1 in each of these."""
    middles = np.array([[(column + 0.5) * side, (row + 0.5) * side] for row, column in cells])
    perfect = torch.zeros(1, 1, 8, 8)
    for row, column in cells:
        perfect[0, 0, row, column] += 1
    return Points.of([middles], torch.tensor([[128, 128]])), perfect


@pytest.mark.parametrize("background", [None, 60.0])
def test_one_in_the_cell_of_each_point_costs_nothing(background):
    points, perfect = apart()
    loss = BayesianPoints(OUTPUTS, sigma=8.0, background=background)
    assert float(loss({"map": perfect}, target_of(points, 1), LossContext()).total) < 1e-5
    _, one_place = apart(((1, 1),) * 3)
    wrong = float(loss({"map": one_place}, target_of(points, 1), LossContext()).total)
    assert wrong == pytest.approx(4 / (64 * 0.5), rel=1e-4)  # two too many at one point, one missing at two


def test_two_points_in_one_pixel_want_two():
    points, perfect = apart(((1, 1), (1, 1), (6, 2)))
    loss = BayesianPoints(OUTPUTS, sigma=8.0)
    assert perfect.max() == 2
    assert float(loss({"map": perfect}, target_of(points, 1), LossContext()).total) < 1e-5
    one = loss({"map": perfect.clamp(max=1)}, target_of(points, 1), LossContext()).total
    assert float(one) == pytest.approx(1 / (64 * 0.5), rel=1e-4)  # one is missing


def test_a_background_has_what_is_far_from_all_points():
    points, perfect = apart(((1, 1),))
    perfect[0, 0, 7, 7] = 3.0
    extra = float(BayesianPoints(OUTPUTS, background=60.0)({"map": perfect}, target_of(points, 1), LossContext()).total)
    assert extra == pytest.approx(3 / (64 * 0.5), rel=1e-4)  # all of it the background's
    points_only = BayesianPoints(OUTPUTS, background=None)({"map": perfect}, target_of(points, 1), LossContext()).total
    assert float(points_only) == pytest.approx(extra, rel=1e-4)  # or the point's, which then has 4


@pytest.mark.parametrize("background", [None, 50.0])
def test_without_points_all_that_is_there_is_wrong(background):
    points = Points.of([np.empty((0, 2)), np.empty((0, 2))], torch.full((2, 2), 64))
    density = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1).expand(2, 1, 4, 4) / 16
    loss = BayesianPoints(OUTPUTS, background=background)
    assert float(loss({"map": density}, target_of(points, 2), LossContext()).total) == pytest.approx(3 / (16 * 0.5))
    none = points.rows(torch.tensor([], dtype=torch.int64))
    assert float(loss({"map": density[:0]}, target_of(none, 0), LossContext(log=True)).total) == 0


def test_points_outside_a_view_change_nothing():
    points = views_of(7, numbers=(40, 40))
    inside = Points.of([one.numpy() for one in points], points.sizes)
    inside = Points(**{**{name: getattr(inside, name) for name in inside.__slots__}, "scales": points.scales})
    assert inside.counts.sum() < points.counts.sum()
    density = {"map": torch.rand(2, 1, 6, 6, dtype=torch.float64)}
    loss = BayesianPoints(OUTPUTS)
    both = [loss(density, target_of(one, 2), LossContext()).total for one in (points, inside)]
    torch.testing.assert_close(*both)


@pytest.mark.parametrize("parts", [[[0, 1, 2]], [[0], [1], [2]], [[2, 0], [1]]])
def test_micro_batches_add_up(parts):
    points, loss = views_of(2), BayesianPoints(OUTPUTS)
    density = torch.rand(3, 1, 6, 6, dtype=torch.float64)
    whole = loss({"map": density}, target_of(points, 3), LossContext()).total
    found, counts = 0.0, 0
    for rows in map(torch.tensor, parts):
        target = target_of(points.rows(rows), len(rows))
        found += float(loss({"map": density[rows]}, target, LossContext()).total)
        counts += int(loss.count(target))
    assert found == pytest.approx(float(whole))
    assert counts == 3


def test_flips_and_sizes_change_nothing():
    plain, loss = views_of(5, flip=False), BayesianPoints(OUTPUTS, narrowest=0.1)
    density = torch.rand(3, 1, 6, 6, dtype=torch.float64)
    straight = loss({"map": density}, target_of(plain, 3), LossContext()).total
    turned = loss({"map": density.flip(3)}, target_of(views_of(5, flip=True), 3), LossContext()).total
    torch.testing.assert_close(turned, straight)
    large = loss({"map": density}, target_of(views_of(5, size=96, flip=False), 3), LossContext()).total
    torch.testing.assert_close(large, straight)


def test_wrong_labels_and_outputs_are_said():
    (sentence,) = BayesianPoints(OUTPUTS).check(ViewSpec(), LabelSpec())
    assert sentence == "bayesian_points needs points as labels, but the stream's data have no labels"
    with pytest.raises(UserError, match="bayesian_points needs points as labels, but this batch has none"):
        BayesianPoints(OUTPUTS).count(target_of(None, 2))
    with pytest.raises(Objection, match="bayesian_points needs one output of kind map, the head gives: score"):
        BayesianPoints({"score": OutputSpec("score")})
