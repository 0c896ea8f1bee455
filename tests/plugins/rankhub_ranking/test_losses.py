"""The losses on one number, against explicit pairs and the specification's vectors."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from helpers.slow_pairs import brute
from torch import nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import Features, FeatureSpec, OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_data.meaning import measured
from rankhub_quality.score import Score
from rankhub_ranking.margin_ranking import MarginRanking
from rankhub_ranking.regression import L1, MSE, Huber

SCORE = {"score": OutputSpec("score")}


def target_of(level, index=None, kind=None, groups=1, label=None):
    level = torch.as_tensor(level, dtype=torch.float32)
    index = torch.zeros(len(level), dtype=torch.int64) if index is None else torch.as_tensor(index)
    kind = torch.zeros_like(index) if kind is None else torch.as_tensor(kind)
    return RankTarget(index, torch.arange(len(level)), index * groups + kind, level, label, kind)


def run(loss, values, target):
    values = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    result = loss({"score": values}, target, LossContext(log=True))
    count = loss.count(target)
    (result.total / count).backward()
    return float(result.total.detach()), float(count), values.grad, result.parts


def test_vectors_of_the_specification():
    level = [3.0, 2.0, 1.0]
    total, count, grad, _ = run(MarginRanking(SCORE, margin=10, reduction="images"), [0.0, 0, 0], target_of(level))
    assert (total, count) == (30, 3)
    torch.testing.assert_close(grad, torch.tensor([-2 / 3, 0, 2 / 3], dtype=torch.float64))
    total, _, grad, parts = run(MarginRanking(SCORE, margin=1, reduction="images"), [3.0, 1, 0], target_of(level))
    assert total == 0
    assert not grad.any()
    assert parts["ranking_accuracy"] == 1
    assert parts["active"] == 0
    total, count, grad, _ = run(MarginRanking(SCORE, margin=0), [1.0, 2, 3, 4, 5], target_of([5.0, 4, 3, 2, 1]))
    assert (total, count) == (20, 10)
    torch.testing.assert_close(grad * count, torch.tensor([-4.0, -2, 0, 2, 4], dtype=torch.float64))


def test_views_of_equal_level_have_no_pair():
    total, count, grad, parts = run(MarginRanking(SCORE, reduction="images"), [1.0, 2], target_of([1.0, 1.0]))
    assert (total, count, parts) == (0, 2, {})
    assert not grad.any()


def live_layout():
    """Two images, four kinds, six levels, as in the released code: 48 views, 240 pairs across images."""
    index, kind, level = (axis.ravel() for axis in np.meshgrid([3, 8], range(4), range(6), indexing="ij"))
    return target_of(level.astype(np.float32), index, kind, groups=4)


def test_layout_of_the_released_code():
    target = live_layout()
    assert target.kind.tolist() == np.tile(np.repeat(range(4), 6), 2).tolist()
    count = MarginRanking(SCORE, pairs="same_kind").count(target)
    assert int(count) == 240
    assert int(MarginRanking(SCORE).count(target)) == 120
    assert int(MarginRanking(SCORE, reduction="groups").count(target)) == 8
    assert int(MarginRanking(SCORE, reduction="images").count(target)) == 48
    assert MarginRanking(SCORE).scope == "group"
    assert MarginRanking(SCORE, pairs="same_kind").scope == "batch"


@pytest.mark.parametrize("pairs", ["same_image", "same_kind"])
@pytest.mark.parametrize("shape", ["hinge", "logistic"])
@pytest.mark.parametrize("reduction", ["pairs", "images", "groups"])
def test_gradient_is_that_of_a_siamese_network_with_two_branches(pairs, shape, reduction):
    torch.manual_seed(0)
    target = live_layout()
    images = torch.randn(48, 5, dtype=torch.float64)
    net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    twin = copy.deepcopy(net)
    loss = MarginRanking(SCORE, margin=0.3, pairs=pairs, shape=shape, reduction=reduction)
    result = loss({"score": net(images)[:, 0]}, target, LossContext())
    (result.total / loss.count(target)).backward()

    owner = (target.group if pairs == "same_image" else target.group % 4).tolist()
    found = sorted(brute(owner, target.level.numpy()))
    upper, lower = (torch.tensor(side) for side in zip(*found, strict=True))
    short = 0.3 - (twin(images[upper]) - twin(images[lower]))[:, 0]
    terms = short.clamp(min=0) if shape == "hinge" else torch.log1p(short.exp())
    if reduction == "groups":
        own = torch.tensor(owner)[upper]
        expected = torch.stack([terms[own == one].mean() for one in own.unique()]).mean()
    else:
        expected = terms.sum() / (len(terms) if reduction == "pairs" else 48)
    expected.backward()
    torch.testing.assert_close(result.total / loss.count(target), expected, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def test_the_margin_is_in_standard_deviations_of_the_labels():
    scaled = {"score": OutputSpec("score", mean=50.0, std=20.0)}
    total, *_ = run(MarginRanking(scaled, margin=0.5), [60.0, 58.0], target_of([2.0, 1.0]))
    assert total == pytest.approx(0.5 - 2 / 20)


def test_objections():
    loss = MarginRanking(SCORE)
    assert "equal level" in next(iter(loss.check(ViewSpec(views=4), LabelSpec())))
    assert "at least two" in next(iter(loss.check(ViewSpec(3, 3, "ordered"), LabelSpec())))
    assert not list(loss.check(ViewSpec(6, 1, "ordered"), LabelSpec()))
    with pytest.raises(Objection, match="one output of kind score"):
        MarginRanking({"embedding": OutputSpec("embedding", 4)})
    assert "have no labels" in next(iter(MSE(SCORE).check(ViewSpec(), LabelSpec())))
    assert not list(MSE(SCORE).check(ViewSpec(), LabelSpec("score")))


@pytest.mark.parametrize(("make", "expected"), [(MSE, 0.25 + 4), (L1, 0.5 + 2), (Huber, 0.125 + 1.5)])
def test_missing_labels_cost_nothing_and_errors_are_standardized(make, expected):
    outputs = {"score": OutputSpec("score", mean=5.0, std=2.0)}
    target = target_of([1.0, 1, 1], label=torch.tensor([3.0, float("nan"), 9.0]))
    total, count, grad, parts = run(make(outputs), [4.0, 7.0, 5.0], target)
    assert count == 2
    assert total == pytest.approx(expected)
    assert grad[1] == 0
    assert parts["mean_error"] == pytest.approx(2.5)


def test_the_head_speaks_in_the_unit_of_its_labels_and_its_weights_in_standard_deviations():
    torch.manual_seed(0)
    spec = measured(LabelSpec("score"), np.array([10.0, 30.0, float("nan")]))
    assert (spec.mean, spec.std) == (20.0, 10.0)
    assert measured(LabelSpec("score"), np.array([4.0, 4.0])).std == 1.0
    head = Score(FeatureSpec(3), spec, hidden=4, dropout=0.1).eval()
    score = head(Features(torch.zeros(2, 3)))["score"]
    assert score.shape == (2,)
    assert (score - 20).abs().max() < 10
    assert head.outputs["score"] == OutputSpec("score", mean=20.0, std=10.0)
    other = Score(FeatureSpec(3), LabelSpec(), hidden=4).eval()
    other.load_state_dict(head.state_dict())
    ones = Features(torch.ones(2, 3))
    torch.testing.assert_close(20 + 10 * other(ones)["score"], head(ones)["score"])
