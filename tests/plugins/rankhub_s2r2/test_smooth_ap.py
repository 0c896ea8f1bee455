"""Smooth-AP against published numbers, a slow reference, and the laws it must keep."""

from __future__ import annotations

import pytest
import torch
from helpers.ranking import EMBEDDING, batches, golden, make_target
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rankhub.interfaces.loss import LossContext
from rankhub_ranking.embeddings import unit_rows
from rankhub_s2r2 import steps
from rankhub_s2r2.positives import queries_by_size
from rankhub_s2r2.precision import average_precision, exact_precision, positive_ranks
from rankhub_s2r2.smooth_ap import SmoothAP, smooth_average_precision
from rankhub_s2r2.steps import Heaviside, Sigmoid


def slow_precision(z: Tensor, group: Tensor, tau: float, include_self: bool = False) -> tuple[Tensor, Tensor]:
    """The definition, one query and one positive at a time; queries without a positive give 0."""
    unit = z / z.norm(dim=1, keepdim=True)
    precision, valid = [], []
    for q in range(len(z)):
        items = [j for j in range(len(z)) if j != q or include_self]
        own = [j for j in items if group[j] == group[q]]
        valid.append(any(j != q for j in own))
        terms = []
        for i in own if valid[-1] else []:
            step = {j: torch.sigmoid((unit[q] @ unit[j] - unit[q] @ unit[i]) / tau) for j in items if j != i}
            among = 1 + sum((step[j] for j in own if j != i), start=z.new_zeros(()))
            terms.append(among / (1 + sum(step.values())))
        precision.append(sum(terms, start=0 * z.sum()) / max(1, len(terms)))
    return torch.stack(precision), torch.tensor(valid)


@pytest.mark.parametrize(
    ("include_self", "tau", "loss"),
    [
        (False, 0.01, 0.176024397709),
        (True, 0.01, 0.106125307533),
        (False, 0.05, 0.199372886487),
        (True, 0.05, 0.117194150686),
        (False, 0.1, 0.218427276670),
        (True, 0.1, 0.131182472623),
        (False, 0.5, 0.428062458626),
        (True, 0.5, 0.343205513946),
    ],
)
def test_golden_values(include_self, tau, loss):
    z, group = golden()
    precision, valid = smooth_average_precision(z, group, tau, include_self=include_self)
    assert valid.all()
    assert 1 - precision.mean().item() == pytest.approx(loss, abs=1e-12)
    single = smooth_average_precision(z.float(), group, tau, include_self=include_self)[0]
    assert single.dtype == torch.float32
    assert 1 - single.mean().item() == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    ("tau", "norm", "first"),
    [
        (0.05, 0.2647705603, (0.0005998148, -0.0028638859, -0.0063479274, -0.0031601619, 0.0042675105)),
        (0.5, 0.1064122963, (-0.0069304505, 0.0005207999, -0.0111483078, 0.0004545477, 0.0025408320)),
    ],
)
def test_golden_gradients(tau, norm, first):
    z, group = golden()
    z.requires_grad_()
    (1 - smooth_average_precision(z, group, tau)[0].mean()).backward()
    assert z.grad.norm().item() == pytest.approx(norm, abs=1e-10)
    assert z.grad[0].tolist() == pytest.approx(first, abs=1e-10)


def test_golden_hard_precision():
    z, group = golden()
    rows = unit_rows(z)
    each = average_precision(rows, list(queries_by_size(group)), Heaviside())[0]
    expected = (1, 11 / 12, 1, 1, 0.8055555556, 0.7, 0.4111111111, 2 / 3, 11 / 12, 0.7, 11 / 12, 11 / 12)
    assert each.tolist() == pytest.approx(expected, abs=1e-10)
    assert exact_precision(rows, list(queries_by_size(group)))[1] == pytest.approx(11 / 12)  # only query 6 misses it
    assert exact_precision(rows, list(queries_by_size(group)))[0].item() == pytest.approx(0.8291666666667)
    assert exact_precision(rows, list(queries_by_size(group, True)))[0].item() == pytest.approx(0.8963789682540)


def test_steps_may_differ_among_positives_and_negatives():
    z, group = golden()
    (queries,) = queries_by_size(group)
    among, _ = positive_ranks(unit_rows(z), queries, Heaviside())
    _, above = positive_ranks(unit_rows(z), queries, Sigmoid(0.05))
    assert 1 - (among / (among + above)).mean().item() == pytest.approx(0.200745296707, abs=1e-12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(batches(min_sizes=1), st.sampled_from([0.01, 0.05, 0.3]), st.booleans())
def test_equals_the_slow_reference(batch, tau, include_self):
    z, group = batch
    z.requires_grad_()
    precision, valid = smooth_average_precision(z, group, tau, include_self=include_self)
    slow, slow_valid = slow_precision(z, group, tau, include_self)
    torch.testing.assert_close(precision, slow, rtol=1e-9, atol=1e-12)
    assert torch.equal(valid, slow_valid)
    upstream = torch.linspace(-1, 2, len(z), dtype=torch.float64)
    (grad,) = torch.autograd.grad(precision @ upstream, z)
    (slow_grad,) = torch.autograd.grad(slow @ upstream, z)
    torch.testing.assert_close(grad, slow_grad, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("include_self", [False, True])
@pytest.mark.parametrize("tau", [0.002, 0.05])
def test_gradcheck_on_unequal_shuffled_groups(include_self, tau):
    generator = torch.Generator().manual_seed(3)
    group = torch.tensor([7, 7, 7, 7, 2, 2, 5, 5, 5, -1])[torch.randperm(10, generator=generator)]
    centre = torch.randn(1, 4, generator=generator, dtype=torch.float64)
    z = centre + 10 * tau * torch.randn(10, 4, generator=generator, dtype=torch.float64)  # gaps of about tau
    z.requires_grad_()

    def precision(z: Tensor) -> Tensor:
        return smooth_average_precision(z, group, tau, include_self=include_self)[0]

    assert torch.autograd.gradcheck(precision, (z,), eps=1e-7)
    assert torch.autograd.grad(precision(z).sum(), z)[0].norm() > 1e-3


@pytest.mark.parametrize("tau", [0.001, 0.05])
def test_block_and_tile_size_do_not_matter(monkeypatch, tau):
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(45) // 5
    z = torch.randn(45, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    results = []
    for block_bytes, tile_bytes in ((None, 2**20), (1, 1), (2000, 2**20), (2**20, 4000)):
        monkeypatch.setitem(steps._TILE_BYTES, "cpu", tile_bytes)
        precision = smooth_average_precision(z, group, tau, block_bytes=block_bytes)[0]
        hard = average_precision(unit_rows(z), list(queries_by_size(group)), Heaviside(), block_bytes)[0]
        results.append((precision, torch.autograd.grad(precision.sum(), z)[0], hard))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_embeddings_give_views_over_rows_and_no_gradient(dtype):
    group = (torch.arange(32) // 8)[torch.randperm(32, generator=torch.Generator().manual_seed(1))]
    z = torch.full((32, 7), 0.3, dtype=dtype, requires_grad=True)
    result = SmoothAP(EMBEDDING)({"embedding": z}, make_target(group), LossContext(log=True))
    torch.testing.assert_close(result.total / 32, torch.tensor(1 - 8 / 32, dtype=dtype))
    torch.testing.assert_close(result.parts["mAP"], torch.tensor(8 / 32, dtype=dtype))
    assert result.parts["pairs_with_gradient"] == 1
    (grad,) = torch.autograd.grad(result.total, z)
    assert grad.abs().max() < 100 * torch.finfo(dtype).eps


def test_queries_without_a_positive_are_skipped_but_stay_in_the_gallery():
    z, group = golden()
    group = group.clone()
    group[8:] = torch.arange(4) + 10  # the third group falls apart into single rows
    target = make_target(group)
    loss = SmoothAP(EMBEDDING)
    slow, valid = slow_precision(z, group, 0.05)
    assert valid.sum() == loss.count(target) == 8
    total = loss({"embedding": z}, target, LossContext()).total
    torch.testing.assert_close(total, (1 - slow)[valid].sum())


def test_ranks_stay_exact_in_float32_with_scores_far_apart():
    z = torch.randn(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    group = torch.arange(60) % 20
    for tau in (0.05, 0.01, 0.001):
        exact, single = z.clone().requires_grad_(), z.float().requires_grad_()
        precisions = [smooth_average_precision(x, group, tau)[0] for x in (exact, single)]
        for precision in precisions:
            precision.sum().backward()
        torch.testing.assert_close(precisions[1].double(), precisions[0], rtol=1e-4, atol=1e-4)
        assert (single.grad.double() - exact.grad).norm() < 1e-3 * exact.grad.norm()
