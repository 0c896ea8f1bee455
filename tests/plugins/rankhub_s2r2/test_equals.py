"""Equal embeddings are equals in every rank that is called exact, wherever they stand in a product of matrices."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from helpers.ranking import EMBEDDING, make_target
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rankhub.interfaces.loss import LossContext
from rankhub_s2r2 import steps, streamed
from rankhub_s2r2.blackbox_ap import BlackboxAP
from rankhub_s2r2.graded_ap import GradedAP
from rankhub_s2r2.ramp_ap import RampAP
from rankhub_s2r2.smooth_ap import SmoothAP
from rankhub_s2r2.sup_ap import SupAP

RANKED = ("mAP", "precision_at_1", "pairs_with_gradient")


def copies(rows: int, dim: int, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """[rows, dim] copies of 7 different embeddings, one of them zero; shuffled unequal groups; and of what each is."""
    generator = torch.Generator().manual_seed(seed)
    few = torch.randn(7, dim, generator=generator, dtype=torch.float64)
    few[6] = 0
    which = torch.randint(7, (rows,), generator=generator)
    group = torch.randint(rows // 3, (rows,), generator=generator)
    return few[which].to(dtype), group, which


def apply(loss, z, group, **context):
    return loss({"embedding": z}, make_target(group), LossContext(**context))


def block_sizes(monkeypatch):
    """Sizes of blocks and tiles, and numbers of threads, one after another."""
    for threads in (1, 3):
        torch.set_num_threads(threads)
        for block_bytes, tile_bytes in ((2**22, 2**20), (1, 1), (10_000, 4000)):
            monkeypatch.setitem(streamed._BLOCK_BYTES, "cpu", block_bytes)
            monkeypatch.setitem(steps._TILE_BYTES, "cpu", tile_bytes)
            yield


def slow_ranks(z: Tensor, group: Tensor, which: Tensor) -> tuple[float, float]:
    """mAP and precision at 1 with similarities of the different embeddings, each made once."""
    first = torch.stack([(which == row).nonzero()[0, 0] if (which == row).any() else which[0] * 0 for row in range(7)])
    unit = z.double()[first]
    unit = unit / unit.norm(dim=1, keepdim=True).clamp(min=1e-300)
    table = (unit @ unit.T).mul(1e6).round().tolist()
    precision, nearest = [], []
    for q in range(len(z)):
        scores = [table[which[q]][which[j]] for j in range(len(z))]
        own = [j for j in range(len(z)) if j != q and group[j] == group[q]]
        others = [j for j in range(len(z)) if group[j] != group[q]]
        if not own:
            continue

        def above(i, items, scores=scores):
            return sum((Fraction(1, 2) if scores[j] == scores[i] else scores[j] > scores[i]) for j in items if j != i)

        terms = [(1 + above(i, own)) / Fraction(1 + above(i, own) + above(i, others)) for i in own]
        precision.append(sum(terms) / len(terms))
        nearest.append(max(scores[i] for i in own) > max((scores[j] for j in others), default=-2e6))
    return float(sum(precision) / len(precision)), sum(nearest) / len(nearest)


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 40), st.integers(2, 80), st.sampled_from([torch.float32, torch.float64]), st.integers(0, 2**31))
def test_the_logged_precision_counts_copies_as_equals(rows, dim, dtype, seed):
    z, group, which = copies(rows, dim, dtype, seed)
    group[:2] = 0
    parts = apply(SmoothAP(EMBEDDING), z, group, log=True).parts
    precision, first = slow_ranks(z, group, which)
    assert parts["mAP"].dtype == dtype
    assert parts["mAP"].item() == pytest.approx(precision, abs=1e-7 if dtype == torch.float32 else 1e-14)
    assert parts["precision_at_1"].item() == pytest.approx(first, abs=1e-7)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [7, 129])
@pytest.mark.parametrize("loss", [SmoothAP(EMBEDDING), RampAP(EMBEDDING, width=1.0), GradedAP(EMBEDDING, tau=0.3)])
def test_order_blocks_and_threads_change_no_bit_of_the_logged_ranks(monkeypatch, loss, dim, dtype):
    z, group, _ = copies(70, dim, dtype)
    generator = torch.Generator().manual_seed(1)
    expected = apply(loss, z, group, log=True).parts
    assert 0 < expected["mAP"] < 1
    for _ in block_sizes(monkeypatch):
        order = torch.randperm(70, generator=generator)
        parts = apply(loss, z[order], group[order], log=True).parts
        assert all(torch.equal(parts[name], expected[name]) for name in RANKED)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [7, 129])
@pytest.mark.parametrize(
    "loss",
    [
        BlackboxAP(EMBEDDING),
        BlackboxAP(EMBEDDING, margin=0.0, interpolation=0.5),
        SupAP(EMBEDDING),
        SupAP(EMBEDDING, delta=0.0, calibration=0.0),
    ],
)
def test_copies_count_alike_in_losses_with_a_step(monkeypatch, loss, dim, dtype):
    z, group, which = copies(70, dim, dtype)
    z[which == 6] = 1  # the length of a gradient at zero has no bound
    generator = torch.Generator().manual_seed(1)
    results = []
    for _ in block_sizes(monkeypatch):
        order = torch.randperm(70, generator=generator)
        rows = z[order].requires_grad_()
        total = apply(loss, rows, group[order]).total
        grad = torch.empty_like(z)
        grad[order] = torch.autograd.grad(total, rows)[0]
        results.append((total.detach(), grad))
    tight = 2e-6 if dtype == torch.float32 else 1e-14
    for total, grad in results[1:]:
        torch.testing.assert_close(total, results[0][0], rtol=tight, atol=0)
        torch.testing.assert_close(grad, results[0][1], rtol=tight, atol=tight)


def test_sup_ap_ranks_copies_of_a_positive_as_its_equals():
    z = torch.full((12, 129), 0.3, dtype=torch.float64)
    group = torch.arange(12) // 4
    total = apply(SupAP(EMBEDDING, calibration=0.0), z, group).total
    assert total.item() / 12 == pytest.approx(1 - 3 / (3 + 8 / 2))
    sharp = apply(SupAP(EMBEDDING, calibration=0.0, delta=0.0, start=0.0, offset=1.0), z, group).total
    assert sharp.item() / 12 == pytest.approx(1 - 3 / (3 + 8 / 2))
