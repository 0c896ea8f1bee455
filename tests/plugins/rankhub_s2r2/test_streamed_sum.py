"""Value and gradient taken in one pass are those of the two passes, in every precision and at every temperature."""

from __future__ import annotations

import pytest
import torch
from helpers.ranking import golden

from rankhub_ranking.embeddings import unit_rows
from rankhub_s2r2 import steps
from rankhub_s2r2.positives import queries_by_size
from rankhub_s2r2.precision import PrecisionLoss, query_precision
from rankhub_s2r2.ramp import Ramp
from rankhub_s2r2.steps import AtLeast, Sigmoid, SlopedStep
from rankhub_s2r2.streamed import _add_transposed_, streamed_sum
from rankhub_s2r2.sup_ap import SupStep

TAUS = (0.001, 0.01, 0.05, 2.0)


def draw(count: int, pivots: int, items: int, spread: float, dtype: torch.dtype, seed: int = 0):
    """Scores [count, items], a few left out; pivots; and weights [count, pivots]."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(count, items, generator=generator, dtype=torch.float64).mul_(2).sub_(1)
    scores[:, :2] = -torch.inf
    own = torch.randn(count, pivots, generator=generator, dtype=torch.float64).mul_(spread).clamp_(-1, 1)
    return scores.to(dtype), own.to(dtype), torch.randn(count, pivots, generator=generator).to(dtype)


def slow(scores, pivots, weights, tau):
    """Sums and gradient from every pair, by autograd."""
    scores, pivots = scores.double().clone().requires_grad_(), pivots.double().clone().requires_grad_()
    sums = torch.sigmoid((scores[:, None] - pivots[:, :, None]) / tau).sum(2)
    return sums.detach(), *torch.autograd.grad((sums * weights.double()).sum(), (scores, pivots))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tile_bytes", [1, 3000])
@pytest.mark.parametrize("pivots", [1, 5])
@pytest.mark.parametrize("spread", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("tau", TAUS)
def test_sums_and_gradient_of_the_sigmoid_equal_those_over_pairs(monkeypatch, tau, spread, pivots, tile_bytes, dtype):
    monkeypatch.setitem(steps._TILE_BYTES, "cpu", tile_bytes)
    scores, own, weights = draw(6, pivots, 40, spread, dtype)
    expected = slow(scores, own, weights, tau)
    step, before = Sigmoid(tau), own.clone()
    seen = []

    def weigh(some, sums):
        seen.append(sums.clone())
        return weights[some].clone()

    got = step.sums_and_gradient(scores, own, weigh)
    assert torch.equal(torch.cat(seen), got[0])
    assert torch.equal(own, before)
    eps = torch.finfo(dtype).eps
    for mine, true in zip(got, expected, strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(mine.double(), true, rtol=20 * eps / min(tau, 1), atol=20 * eps / tau)


def test_scores_far_from_all_pivots_count_as_their_step_says():
    scores = torch.tensor([[-torch.inf, -1e4, -8.0, 0.0, 8.0, 1e4]])
    own = torch.tensor([[-0.3, 0.3]])
    weights = torch.ones(1, 2)
    sums, at_scores, at_own = Sigmoid(0.05).sums_and_gradient(
        scores.clone(), own, lambda some, sums: weights[some].clone()
    )
    torch.testing.assert_close(sums, torch.tensor([[2.0, 2.0]]) + torch.sigmoid(torch.tensor([[6.0, -6.0]])))
    assert at_scores[0, [0, 1, 2, 4, 5]].abs().max() < 1e-8
    assert at_scores.isfinite().all()
    assert at_own.isfinite().all()


@pytest.mark.parametrize("among", [None, AtLeast()])
@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("step", [*map(Sigmoid, TAUS), Ramp(0.1), SupStep(0.01, 100.0, 0.05, 0.5, 1.44)])
@pytest.mark.parametrize("block_bytes", [None, 1, 300])
def test_the_sum_and_its_gradient_equal_those_of_the_terms(step, among, include_self, block_bytes):
    assert isinstance(step, SlopedStep)
    z, group = golden()
    group = group.clone()
    group[-2:] = group[0]  # groups of unequal size
    rows = unit_rows(z).requires_grad_()
    for queries in queries_by_size(group, include_self):
        one = streamed_sum(rows, queries, PrecisionLoss(step, among=among), block_bytes)
        other = (1 - query_precision(rows, queries, step, among=among)).sum()
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
        grads = [torch.autograd.grad(total, rows)[0] for total in (one, other)]
        torch.testing.assert_close(*grads, rtol=1e-9, atol=1e-11)


def test_the_gradient_is_made_once_serves_twice_and_is_scaled():
    z, group = golden()
    rows = unit_rows(z).requires_grad_()
    (queries,) = queries_by_size(group)
    total = streamed_sum(rows, queries, PrecisionLoss(Sigmoid(0.05)))
    first, second = (torch.autograd.grad(total * factor, rows, retain_graph=True)[0] for factor in (1.0, -3.0))
    assert first.norm() > 0
    torch.testing.assert_close(second, -3 * first)


def test_no_gradient_is_made_where_none_can_be_asked_for(monkeypatch):
    z, group = golden()
    rows = unit_rows(z)
    (queries,) = queries_by_size(group)
    objective = PrecisionLoss(Sigmoid(0.05))
    value = streamed_sum(rows.clone().requires_grad_(), queries, objective)
    monkeypatch.setattr(objective, "with_gradient", None)
    plain = streamed_sum(rows, queries, objective)
    with torch.no_grad():
        silent = streamed_sum(rows.clone().requires_grad_(), queries, objective)
    assert not plain.requires_grad
    torch.testing.assert_close(plain, value.detach())
    assert torch.equal(silent, plain)


@pytest.mark.parametrize(("count", "width"), [(1, 256), (10, 3), (12, 4), (600, 256)])
def test_a_matrix_and_its_transpose_are_added_in_place(count, width):
    square = torch.randn(count, count, generator=torch.Generator().manual_seed(0))
    expected = square + square.T
    assert torch.equal(_add_transposed_(square, width), expected)
    assert torch.equal(square, expected)
