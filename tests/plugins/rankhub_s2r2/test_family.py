"""What a single loss of the family promises beyond the laws that all keep."""

from __future__ import annotations

import pytest
import torch
from helpers.ranking import EMBEDDING, batches, golden, make_target
from helpers.slow_ranking import total
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.order import RankTarget
from rankhub_s2r2.blackbox_ap import BlackboxAP
from rankhub_s2r2.graded_ap import GradedAP
from rankhub_s2r2.histogram_ap import FastAP, HistogramAP
from rankhub_s2r2.pnp import PNP
from rankhub_s2r2.ramp_ap import RampAP
from rankhub_s2r2.smooth_ap import SmoothAP
from rankhub_s2r2.sup_ap import SupAP

laws = settings(max_examples=20, deadline=None, derandomize=True)


def apply(loss, z, group, level=None, **context):
    return loss({"embedding": z}, make_target(group, level), LossContext(**context))


def gradient(total, z):
    return torch.autograd.grad(total, z)[0]


@laws
@given(batches(min_sizes=1))
def test_sup_ap_is_never_below_the_true_loss(batch):
    z, group = batch
    loss = SupAP(EMBEDDING, calibration=0)
    for query in torch.eye(len(z), dtype=torch.bool):
        result = apply(loss, z, group, queries=query, log=True)
        count = 1 if (group == group[query]).sum() > 1 else 0
        assert result.total >= count - result.parts["mAP"] - 1e-9


def test_sup_ap_keeps_a_slope_where_a_sigmoid_has_none():
    z = torch.tensor(
        [[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]], dtype=torch.float64, requires_grad=True
    )  # a negative between
    group = torch.tensor([0, 0, 1])
    one = torch.tensor([True, False, False])
    flat = gradient(apply(SmoothAP(EMBEDDING, tau=0.01), z, group, queries=one).total, z)
    sloped = gradient(apply(SupAP(EMBEDDING, calibration=0), z, group, queries=one).total, z)
    assert flat.norm() < 1e-12
    assert sloped.norm() > 1e-3


def test_calibration_is_the_mean_over_all_pairs_where_groups_have_one_size():
    z, group = golden()
    unit = z / z.norm(dim=1, keepdim=True)
    cosines, other = unit @ unit.T, ~torch.eye(12, dtype=torch.bool)
    same = group == group[:, None]
    expected = (0.8 - cosines[same & other]).clamp(min=0).mean() + (cosines[~same] - 0.2).clamp(min=0).mean()
    options = {"positive_margin": 0.8, "negative_margin": 0.2}
    result = apply(SupAP(EMBEDDING, calibration=2.0, **options), z, group, log=True)
    plain = apply(SupAP(EMBEDDING, calibration=0.0, **options), z, group, log=True)
    torch.testing.assert_close(result.total - plain.total, 12 * 2 * expected)
    torch.testing.assert_close(result.parts["calibration"], expected)
    assert "calibration" not in plain.parts


@laws
@given(batches(min_sizes=1), st.integers(1, 12))
def test_fast_ap_is_the_histogram_with_one_more_centre(batch, bins):
    z, group = batch
    one = apply(FastAP(EMBEDDING, bins=bins), z, group).total
    torch.testing.assert_close(one, apply(HistogramAP(EMBEDDING, bins=bins + 1), z, group).total)


def test_outside_of_the_range_of_the_histogram_there_is_no_gradient():
    z, group = golden()
    z.requires_grad_()
    total = apply(HistogramAP(EMBEDDING, low=1.5, high=2.0), z, group).total
    assert torch.equal(gradient(total, z), torch.zeros_like(z))
    assert total.item() / 12 == pytest.approx(1 - 3 / 11)  # one bin, no order


def test_histogram_ap_refuses_an_empty_range():
    with pytest.raises(Objection, match=r"low: 1 and high: 0\.5"):
        HistogramAP(EMBEDDING, low=1.0, high=0.5)


def test_blackbox_lifts_the_positive_and_pushes_down_only_what_it_overtakes():
    cosines = torch.tensor([1.0, 0.2, 0.9, 0.5, -0.9], dtype=torch.float64)  # query, positive, three negatives
    z = torch.stack([cosines, (1 - cosines**2).sqrt()], 1).requires_grad_()
    only = torch.tensor([True, False, False, False, False])
    group = torch.tensor([0, 0, 1, 2, 3])

    def at_cosines(interpolation):
        loss = BlackboxAP(EMBEDDING, interpolation=interpolation, margin=0.0)
        scores = z.detach()[0] @ z.detach().T
        moved = gradient(apply(loss, z, group, queries=only).total, z)
        # dL/dz_j = g_j (query's row, without its part along z_j)
        return [(moved[j] @ (z[0] - scores[j] * z[j])).item() / (1 - scores[j].item() ** 2) for j in range(1, 5)]

    # R = 3 and R⁺ = 1: the positive moves up by lambda / 9.
    assert at_cosines(0.9) == pytest.approx([0, 0, 0, 0])  # to .3, before none
    assert at_cosines(3.6) == pytest.approx([-1 / 3.6, 0, 1 / 3.6, 0])  # to .6, before one
    assert at_cosines(7.2) == pytest.approx([-2 / 7.2, 1 / 7.2, 1 / 7.2, 0])  # to 1.0, before two


def test_blackbox_with_a_margin_has_a_gradient_where_the_ranks_are_right_by_a_hair():
    z = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.9, 0.105]], dtype=torch.float64, requires_grad=True)
    group, only = torch.tensor([0, 0, 1]), torch.tensor([True, False, False])
    losses = [apply(BlackboxAP(EMBEDDING, margin=margin), z, group, queries=only).total for margin in (0.0, 0.02)]
    assert [loss.item() for loss in losses] == pytest.approx([0, 0.5])
    assert gradient(losses[0], z).norm() == 0
    assert gradient(losses[1], z).norm() > 0.01


@laws
@given(batches(min_sizes=1), st.integers(0, 2**31), st.booleans())
def test_graded_ap_equals_the_definition(batch, seed, include_self):
    z, group = batch
    z.requires_grad_()
    level = torch.rand(len(z), generator=torch.Generator().manual_seed(seed))
    level = (level * 1.6 - 0.3).clamp(0, 1)  # some 0, some 1
    loss = GradedAP(EMBEDDING, include_self=include_self)
    result = apply(loss, z, group, level).total
    expected, count = total("graded_ap", z, group, level, include_self=include_self)
    assert loss.count(make_target(group, level)) == count
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-9)  # levels are float32
    torch.testing.assert_close(gradient(result, z), gradient(expected, z), rtol=1e-5, atol=1e-8)


@laws
@given(batches(min_sizes=1), st.booleans())
def test_graded_ap_with_levels_of_one_is_smooth_ap(batch, include_self):
    z, group = batch
    z.requires_grad_()
    options = {"tau": 0.03, "include_self": include_self}
    losses = [kind(EMBEDDING, **options) for kind in (GradedAP, SmoothAP)]
    assert losses[0].count(make_target(group)) == losses[1].count(make_target(group))
    totals = [apply(loss, z, group).total for loss in losses]
    torch.testing.assert_close(*totals, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(*(gradient(total, z) for total in totals), rtol=1e-12, atol=1e-14)


def test_graded_ap_gradcheck_with_levels():
    z, group = golden()
    level = torch.tensor([1, 0.5, 0.2, 0, 1, 1, 0.3, 0.3, 0, 0, 0, 0.7], dtype=torch.float64)
    loss = GradedAP(EMBEDDING, tau=0.2)
    assert loss.count(make_target(group, level)) == 4 + 4 + 3  # the view of level .7 finds nothing relevant
    assert torch.autograd.gradcheck(lambda z: apply(loss, z, group, level).total, (z.requires_grad_(),))


def test_graded_ap_is_least_where_views_stand_in_the_order_of_their_levels():
    angles = torch.tensor([0.0, 0.3, 0.6, 0.9, 2.0])
    z = torch.stack([angles.cos(), angles.sin()], 1).double()
    group, only = torch.tensor([0, 0, 0, 0, 1]), torch.tensor([True, False, False, False, False])
    loss = GradedAP(EMBEDDING, tau=0.001)
    right, wrong = (
        apply(loss, z, group, torch.tensor([1.0, *levels, 1.0]), queries=only).total.item()
        for levels in ((0.9, 0.5, 0.1), (0.1, 0.5, 0.9))
    )
    assert right == pytest.approx(1 - (0.9 + (0.5 + 0.5) / 2 + (0.1 * 3) / 3) / 1.5)
    assert right == pytest.approx(0)
    assert wrong > 0.3


@pytest.mark.parametrize("level", [1.5, -0.1, float("nan")])
def test_graded_ap_refuses_levels_outside_of_0_and_1(level):
    z, group = golden()
    levels = torch.ones(12)
    levels[5] = level
    loss = GradedAP(EMBEDDING)
    with pytest.raises(UserError, match=r"levels in \[0, 1\]"):
        loss.count(make_target(group, levels))
    with pytest.raises(UserError, match=r"levels in \[0, 1\]"):
        apply(loss, z, group, levels)


def test_graded_ap_takes_one_column_of_levels_and_refuses_more():
    z, group = golden()
    one, two = (RankTarget(group, group, group, torch.ones(12, columns)) for columns in (1, 2))
    loss = GradedAP(EMBEDDING)
    assert loss.count(one) == 12
    assert loss({"embedding": z}, one, LossContext()).total == apply(loss, z, group).total
    with pytest.raises(UserError, match="2 columns"):
        loss.count(two)
    (sentence,) = loss.check(ViewSpec(views=4, levels="grid"), LabelSpec())
    assert "several" in sentence


@pytest.mark.parametrize(
    ("loss", "width"),
    [
        (SmoothAP(EMBEDDING, tau=0.05), 0.2),
        (RampAP(EMBEDDING, width=0.2), 0.2),
        (PNP(EMBEDDING, tau=0.05), 0.2),
        (GradedAP(EMBEDDING, tau=0.05), 0.2),
    ],
)
def test_pairs_with_gradient_are_those_inside_the_step(loss, width):
    z, group = golden()
    unit = z / z.norm(dim=1, keepdim=True)
    cosines = unit @ unit.T
    gaps = [
        (cosines[q, j] - cosines[q, i]).abs()
        for q in range(12)
        for i in range(12)
        for j in range(12)
        if group[i] == group[q] and i != j and q not in (i, j)
    ]
    expected = (torch.stack(gaps) < width).double().mean()
    torch.testing.assert_close(apply(loss, z, group, log=True).parts["pairs_with_gradient"], expected)
