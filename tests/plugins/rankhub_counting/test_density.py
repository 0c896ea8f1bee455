"""The density head and its loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.pointed import target_of

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import Features, FeatureSpec, OutputSpec
from rankhub_counting.density import Density
from rankhub_counting.density_loss import DensityMSE
from rankhub_points import Points
from rankhub_ranking.margin_ranking import MarginRanking
from rankhub_ranking.regression import L1

SPEC = FeatureSpec(16, 16, 8)
LABEL = LabelSpec("points", mean=40.0, std=10.0, density=0.01)


@pytest.mark.parametrize("activation", ["linear", "softplus"])
@pytest.mark.parametrize("upsample", [1, 4])
def test_outputs_belong_together_and_begin_at_the_mean_density(activation, upsample):
    torch.manual_seed(0)
    head = Density(SPEC, LABEL, activation=activation, upsample=upsample, hidden=8)
    maps = torch.rand(3, 16, 6, 9)
    out = head(Features(torch.zeros(3, 16), [maps]))
    assert out["map"].shape == (3, 1, 6 * upsample, 9 * upsample)
    torch.testing.assert_close(out["count"], out["map"].sum(dim=(1, 2, 3)))
    torch.testing.assert_close(out["pooled"], out["map"].mean(dim=(1, 2, 3)))
    cell = 0.01 * (8 / upsample) ** 2
    assert head.outputs == {
        "map": OutputSpec("map", std=cell, reach=2),
        "count": OutputSpec("count", std=10.0),
        "pooled": OutputSpec("pooled", std=cell),
    }
    np.testing.assert_allclose(out["pooled"].detach(), cell, rtol=0.2)
    if activation == "softplus":
        head.convolutions[-1].bias.data.fill_(-50)
        assert (head(Features(torch.zeros(3, 16), [maps]))["map"] >= 0).all()


def test_the_map_sees_where_features_lie():
    head = Density(SPEC, LABEL, kernel=1)
    maps = torch.zeros(1, 16, 5, 5)
    maps[0, :, 1, 3] = 1
    density = head(Features(torch.zeros(1, 16), [maps]))["map"][0, 0]
    other = density[0, 0]
    assert (density == other).sum() == 24
    assert density[1, 3] != other


def test_views_of_several_sizes_are_refused():
    head = Density(SPEC, LABEL)
    with pytest.raises(UserError, match="needs views of one size"):
        head(Features(torch.zeros(2, 16), [torch.zeros(1, 16, 4, 4), torch.zeros(1, 16, 2, 2)]))
    both = head(Features(torch.zeros(2, 16), [torch.zeros(1, 16, 4, 4), torch.zeros(1, 16, 4, 4)]))
    assert both["map"].shape == (2, 1, 4, 4)


def test_the_scale_is_no_weight():
    assert set(Density(SPEC, LABEL).state_dict()) == {"convolutions.0.weight", "convolutions.0.bias"}
    assert Density(SPEC, LabelSpec()).outputs["map"].std == 1.0


def test_the_loss_is_the_mean_square_in_units_of_the_density():
    loss = DensityMSE({"map": OutputSpec("map", std=0.5), "count": OutputSpec("count")}, sigma=4.0)
    values = [np.array([[3.0, 4.0], [30.0, 20.0], [40.0, 10.0]]), np.empty((0, 2))]
    points = Points.of(values, torch.tensor([[32, 32], [32, 32]]))
    points = points.moved(torch.eye(3, dtype=torch.float64)[None, :2].repeat(2, 1, 1), points.sizes)
    target = target_of(points, 2)
    density = torch.rand(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    result = loss({"map": density}, target, LossContext(log=True))
    wanted = loss.target(points, 4, 4)
    assert wanted.sum(dim=(1, 2, 3)).tolist() == pytest.approx([2, 0])
    expected = sum((((density[row] - wanted[row]) / 0.5) ** 2).mean() for row in range(2))
    torch.testing.assert_close(result.total, expected)
    assert loss.count(target) == 2
    wrong = [abs(float(density[0].sum()) - 2), float(density[1].sum())]
    assert float(result.parts["count_error"]) == pytest.approx(sum(wrong) / 2)
    assert torch.autograd.gradcheck(lambda maps: loss({"map": maps}, target, LossContext()).total, density)


def test_a_perfect_map_costs_nothing():
    loss = DensityMSE({"map": OutputSpec("map", std=0.1)}, adaptive=0.3, edges="window")
    points = Points.of([np.random.default_rng(0).random((20, 2)) * 64], torch.tensor([[64, 64]]))
    perfect = loss.target(points, 8, 8).float()
    assert float(loss({"map": perfect}, target_of(points, 1), LossContext()).total) < 1e-9


def test_wrong_labels_and_outputs_are_said():
    outputs = {"map": OutputSpec("map"), "count": OutputSpec("count")}
    (sentence,) = DensityMSE(outputs).check(ViewSpec(), LabelSpec("score"))
    assert sentence == "density_mse needs points as labels, but the stream's data are of kind score"
    assert not list(DensityMSE(outputs).check(ViewSpec(), LABEL))
    with pytest.raises(Objection, match="needs one output of kind map, the head gives: score"):
        DensityMSE({"score": OutputSpec("score")})
    with pytest.raises(UserError, match="this batch has none"):
        DensityMSE(outputs).count(target_of(None, 2))
    (sentence,) = L1(outputs).check(ViewSpec(), LabelSpec("score"))
    assert sentence == "l1 on count needs points as labels, but the stream's data are of kind score"


def test_counts_may_be_trained_by_their_number_alone():
    loss = L1({"count": OutputSpec("count", std=10.0)})
    points = Points.of([np.ones((3, 2)), np.empty((0, 2))], torch.tensor([[8, 8], [8, 8]]))
    result = loss({"count": torch.tensor([5.0, 1.0])}, target_of(points, 2), LossContext(log=True))
    assert float(result.total) == pytest.approx(0.3)
    assert float(result.parts["mean_error"]) == pytest.approx(1.5)


class TestRankingOfCounts:
    nested = ViewSpec(5, 1, "ordered", ((5, 224),))
    free = ViewSpec(5, 1, "ordered", ((5, None),))
    two = ViewSpec(5, 1, "ordered", ((2, 224), (3, 96)))

    def test_means_of_views_that_differ_in_size_are_refused(self):
        pooled = MarginRanking({"pooled": OutputSpec("pooled")}, margin=0.1)
        assert not list(pooled.check(self.nested, LabelSpec()))
        for views in (self.free, self.two):
            (sentence,) = pooled.check(views, LabelSpec())
            assert "compares views of one size only" in sentence
        count = MarginRanking({"count": OutputSpec("count"), "pooled": OutputSpec("pooled")}, margin=0.1)
        assert count.output == "count"
        assert not list(count.check(self.free, LabelSpec()))

    def test_a_constant_is_a_minimum_only_without_a_margin(self):
        outputs = {"count": OutputSpec("count")}
        assert "every view alike" in (MarginRanking(outputs, margin=0).collapse() or "")
        assert MarginRanking(outputs, margin=0.1).collapse() is None
        assert MarginRanking(outputs, margin=0, shape="logistic").collapse() is None
