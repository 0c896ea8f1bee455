"""The zero-inflated Poisson loss against a slow and obvious reference, and its laws."""

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
from rankhub.interfaces.model import Features, FeatureSpec, OutputSpec
from rankhub_counting.density import Density
from rankhub_counting.zip_loss import ZipNLL, zip_nll
from rankhub_points import Points

OUTPUTS = {"map": OutputSpec("map", std=0.5), "count": OutputSpec("count"), "suppressed": OutputSpec("map", std=0.5)}


def probability(number, empty, rate):
    """Of a number under the distribution, by its definition."""
    poisson = math.exp(-rate) * rate**number / math.factorial(number)
    return (empty if number == 0 else 0) + (1 - empty) * poisson


def maps_of(seed, n=3, height=6, width=4):
    """(1 - π) λ and π λ of random π and λ, which are given too."""
    rng = np.random.default_rng(seed)
    empty, rate = rng.uniform(0.02, 0.98, (n, 1, height, width)), rng.uniform(0.05, 6, (n, 1, height, width))
    return torch.from_numpy((1 - empty) * rate), torch.from_numpy(empty * rate), empty, rate


def slow(points, empty, rate):
    """View by view, cell by cell, point by point."""
    total, (n, _, height, width) = 0.0, rate.shape
    for row in range(n):
        rows, columns = points.sizes[row].tolist()
        nats = 0.0
        for i in range(height):
            for j in range(width):
                number = sum(
                    i * rows / height <= y < (i + 1) * rows / height
                    and j * columns / width <= x < (j + 1) * columns / width
                    for x, y in list(points)[row].tolist()
                )
                nats -= math.log(probability(number, empty[row, 0, i, j], rate[row, 0, i, j]))
        total += nats / (height * width)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_equals_the_slow_reference(seed):
    kept, suppressed, empty, rate = maps_of(seed)
    points = views_of(seed)
    target = target_of(points, 3)
    loss = ZipNLL(OUTPUTS)
    result = loss({"map": kept, "suppressed": suppressed}, target, LossContext(log=True))
    assert float(result.total) == pytest.approx(slow(points, empty, rate), rel=1e-10)
    assert loss.count(target) == 3
    wrong = np.abs(kept.sum(dim=(1, 2, 3)).numpy() - [len(one) for one in points]).mean()
    assert float(result.parts["count_error"]) == pytest.approx(wrong)


def test_gradients_are_right():
    kept, suppressed, _, _ = maps_of(1)
    points = views_of(1)

    def total(kept, suppressed):
        return ZipNLL(OUTPUTS)({"map": kept, "suppressed": suppressed}, target_of(points, 3), LossContext()).total

    assert torch.autograd.gradcheck(total, (kept.requires_grad_(), suppressed.requires_grad_()))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(1e-3, 30))
def test_law_probabilities_sum_to_one_with_the_map_as_mean(empty, rate):
    numbers = torch.arange(120, dtype=torch.float64)
    kept = torch.tensor((1 - empty) * rate, dtype=torch.float64)
    chances = (-zip_nll(kept.expand(120), torch.full((120,), empty * rate, dtype=torch.float64), numbers)).exp()
    assert float(chances.sum()) == pytest.approx(1, abs=1e-9)
    assert float((numbers * chances).sum()) == pytest.approx(float(kept), rel=1e-6, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=12), st.integers(1, 30))
def test_law_the_best_answer_has_the_counts_mean_and_their_share_of_zeros(filled, zeros):
    """Of cells that look alike: the score equations are those of the first moment and of the share of zeros."""
    numbers = torch.tensor([0.0] * zeros + filled, dtype=torch.float64)
    mean, share = float(numbers.mean()), zeros / len(numbers)
    if mean <= -math.log(share) + 1e-3:  # fewer zeros than a Poisson distribution has by itself: then π is 0
        return
    low, high = 1e-9, 100.0
    for _ in range(200):
        rate = (low + high) / 2
        low, high = (rate, high) if (1 - share) * rate < mean * (1 - math.exp(-rate)) else (low, rate)
    empty = 1 - mean / rate
    assert empty + (1 - empty) * math.exp(-rate) == pytest.approx(share, abs=1e-6)
    best = torch.tensor([(1 - empty) * rate, empty * rate], dtype=torch.float64, requires_grad=True)

    def cost(two):
        return zip_nll(two[0].expand(len(numbers)), two[1].expand(len(numbers)), numbers).sum()

    value = cost(best)
    (slope,) = torch.autograd.grad(value, best)
    assert slope.abs().max() < 1e-6 * len(numbers) * max(1, 1 / min(best.tolist()))
    for factor in (0.9, 1.1):
        for which in range(2):
            other = best.detach().clone()
            other[which] *= factor
            assert cost(other) > value


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("log_empty", "log_filled", "rate", "number", "expected"),
    [
        (math.log(1e-9), 0.0, 200.0, 0, -math.log(1e-9)),  # 1 - map / λ would be 0 in float32
        (0.0, math.log(1e-12), 5.0, 3, -math.log(1e-12) - 3 * math.log(5) + 5 + math.log(6)),  # 1 - π would be
        (math.log(0.5), math.log(0.5), 1e-20, 2, -math.log(0.5) + 40 * math.log(10) + math.log(2)),
        (math.log(0.5), math.log(0.5), 1e-20, 0, 0.0),
        (math.log(0.5), math.log(0.5), 900.0, 0, -math.log(0.5)),  # e^-900 is 0
    ],
)
def test_extremes_are_exact_and_have_a_gradient(dtype, log_empty, log_filled, rate, number, expected):
    two = torch.tensor([rate * math.exp(log_filled), rate * math.exp(log_empty)], dtype=dtype, requires_grad=True)
    value = zip_nll(two[0], two[1], torch.tensor(float(number), dtype=dtype))
    value.backward()
    assert float(value.detach()) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert two.grad.isfinite().all()


@pytest.mark.parametrize("number", [0, 4])
def test_rates_that_vanish_cost_much_and_break_nothing(number):
    two = torch.zeros(2, requires_grad=True)
    value = zip_nll(two[0], two[1], torch.tensor(float(number)))
    value.backward()
    assert value.isfinite()
    assert (value > 100) == (number > 0)
    assert two.grad.isfinite().all()


@pytest.mark.parametrize("parts", [[[0, 1, 2]], [[0], [1], [2]], [[2, 0], [1]]])
def test_micro_batches_add_up(parts):
    kept, suppressed, _, _ = maps_of(2)
    points = views_of(2)
    loss = ZipNLL(OUTPUTS)
    whole = loss({"map": kept, "suppressed": suppressed}, target_of(points, 3), LossContext()).total
    found, counts = 0.0, 0
    for rows in map(torch.tensor, parts):
        target = target_of(points.rows(rows), len(rows))
        found += float(loss({"map": kept[rows], "suppressed": suppressed[rows]}, target, LossContext()).total)
        counts += int(loss.count(target))
    assert found == pytest.approx(float(whole))
    assert counts == 3


def test_flipped_views_cost_the_same_of_flipped_maps():
    plain, flipped = views_of(5, flip=False), views_of(5, flip=True)
    kept, suppressed, _, _ = maps_of(5)
    loss = ZipNLL(OUTPUTS)
    straight = loss({"map": kept, "suppressed": suppressed}, target_of(plain, 3), LossContext()).total
    turned = {"map": kept.flip(3), "suppressed": suppressed.flip(3)}
    torch.testing.assert_close(loss(turned, target_of(flipped, 3), LossContext()).total, straight)


@pytest.mark.parametrize("upsample", [1, 4])
def test_the_head_gives_both_and_begins_at_the_mean_density(upsample):
    torch.manual_seed(0)
    label = LabelSpec("points", mean=40.0, std=10.0, density=0.01)
    head = Density(FeatureSpec(16, 16, 8), label, activation="zero_inflated", upsample=upsample)
    out = head(Features(torch.zeros(3, 16), [torch.rand(3, 16, 6, 9)]))
    cell = 0.01 * (8 / upsample) ** 2
    assert list(head.outputs) == ["map", "count", "pooled", "suppressed"]
    assert head.outputs["suppressed"] == head.outputs["map"]
    assert out["map"].shape == out["suppressed"].shape == (3, 1, 6 * upsample, 9 * upsample)
    torch.testing.assert_close(out["count"], out["map"].sum(dim=(1, 2, 3)))
    np.testing.assert_allclose(out["pooled"].detach(), cell, rtol=0.3)
    np.testing.assert_allclose(out["suppressed"].detach() / out["map"].detach(), 1, atol=0.5)  # π about a half
    head.convolutions[-1].bias.data.copy_(torch.tensor([-20.0, 40.0]))
    out = head(Features(torch.zeros(1, 16), [torch.zeros(1, 16, 2, 2)]))
    np.testing.assert_allclose(out["map"].detach(), cell * math.exp(-60), rtol=1e-4)


def test_all_views_without_points_learn_that_cells_are_empty():
    label = LabelSpec("points", mean=40.0, std=10.0, density=0.01)
    head = Density(FeatureSpec(16, 16, 8), label, activation="zero_inflated")
    points = Points.of([np.empty((0, 2))] * 2, torch.full((2, 2), 16))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    features = Features(torch.zeros(2, 16), [torch.rand(2, 16, 2, 2)])
    for _ in range(100):
        optimizer.zero_grad()
        out = head(features)
        total = ZipNLL(head.outputs)(out, target_of(points, 2), LossContext()).total
        total.backward()
        optimizer.step()
    assert float(total.detach()) < 0.01
    assert float(out["count"].sum().detach()) < 0.05


def test_wrong_labels_and_outputs_are_said():
    (sentence,) = ZipNLL(OUTPUTS).check(ViewSpec(), LabelSpec("score"))
    assert sentence == "zip_nll needs points as labels, but the stream's data are of kind score"
    with pytest.raises(UserError, match="zip_nll needs points as labels, but this batch has none"):
        ZipNLL(OUTPUTS).count(target_of(None, 2))
    with pytest.raises(Objection, match="gives: map, count; take the head density with activation: zero"):
        ZipNLL({"map": OutputSpec("map"), "count": OutputSpec("count")})
