"""NT-Xent against a published number, lightly, and a slow reference."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.nt_xent import NTXent

EMBEDDING = {"embedding": OutputSpec("embedding", 4)}


def mean(loss, rows, target, context=None):
    result = loss({"embedding": rows}, target, context or LossContext())
    return result.total / loss.count(target).clamp(min=1)


def slow(z, group, temperature):
    """The definition: query by query, positive by positive. The mean over queries, and their number."""
    z = z / z.norm(dim=1, keepdim=True)
    terms = []
    for q in range(len(z)):
        logits = {j: z[q] @ z[j] / temperature for j in range(len(z)) if j != q}
        positives = [j for j in logits if group[j] == group[q]]
        if positives:
            bottom = torch.stack(list(logits.values())).exp().sum().log()
            terms.append(torch.stack([bottom - logits[j] for j in positives]).mean())
    return torch.stack(terms).mean() if terms else 0 * z.sum(), len(terms)


def test_golden_value():
    n, k = torch.arange(12, dtype=torch.float64)[:, None], torch.arange(5, dtype=torch.float64)
    group = torch.arange(12) // 4
    rows = torch.cos(1.7 * (n // 4) + 0.9 * k) + 0.8 * torch.sin(2.3 * n + 1.1 * k**2)
    shuffled = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    for order in (torch.arange(12), shuffled):
        target = RankTarget(group[order], order % 4, group[order], torch.ones(12))
        assert mean(NTXent(EMBEDDING), rows[order], target).item() == pytest.approx(1.752097462972, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.sampled_from([0.1, 0.5, 2.0]), st.integers(0, 99))
def test_equals_the_definition(make_batch, sizes, temperature, seed):
    rows, target = make_batch(sizes, seed)
    rows.requires_grad_()
    loss = NTXent(EMBEDDING, temperature=temperature)
    expected, count = slow(rows, target.group, temperature)
    value = mean(loss, rows, target)
    assert loss.count(target) == count
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, rows)[0] for v in (value, expected)))


def test_equals_lightly_on_two_views():
    lightly = pytest.importorskip("lightly.loss")
    first, second = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    index = torch.arange(6).repeat(2)
    target = RankTarget(index, torch.arange(12) // 6, index, torch.ones(12))
    for temperature in (0.1, 0.5):
        value = mean(NTXent(EMBEDDING, temperature=temperature), torch.cat([first, second]), target)
        torch.testing.assert_close(value, lightly.NTXentLoss(temperature)(first, second))


def test_gradcheck(make_batch):
    rows, target = make_batch([3, 1, 2, 4])
    loss = NTXent(EMBEDDING)
    assert torch.autograd.gradcheck(
        lambda z: loss({"embedding": z}, target, LossContext()).total, rows.requires_grad_()
    )


def test_a_collapsed_network_pays_log_n_minus_1(make_batch):
    _, target = make_batch([3, 2, 2])
    value = mean(NTXent(EMBEDDING, temperature=0.07), torch.ones(7, 4), target)
    assert value.item() == pytest.approx(math.log(6), rel=1e-6)


def test_parts_are_mean_cosines_within_and_between_groups(make_batch, unit):
    rows, target = make_batch([3, 1, 2, 4])
    cosines = unit(rows) @ unit(rows).T
    same = target.group == target.group[:, None]
    other = ~torch.eye(len(rows), dtype=torch.bool)
    parts = NTXent(EMBEDDING)({"embedding": rows.requires_grad_()}, target, LossContext(log=True)).parts
    torch.testing.assert_close(parts["positive_cosine"], cosines[same & other].mean())
    torch.testing.assert_close(parts["negative_cosine"], cosines[~same].mean())


def test_with_a_queue_it_is_the_definition_on_all_rows(make_batch):
    loss = NTXent(EMBEDDING, temperature=0.3, queue=9).double()
    sent = torch.zeros(0, 4, dtype=torch.float64)
    for seed in range(4):  # 0, 6 and twice 9 earlier rows
        rows, target = make_batch([3, 1, 2], seed)
        rows.requires_grad_()
        group = torch.cat([target.group, torch.arange(len(sent[-9:]))])  # those of the batch are far from 0
        expected, count = slow(torch.cat([rows, sent[-9:]]), group, 0.3)
        result = loss({"embedding": rows}, target, LossContext(log=True))
        assert count == loss.count(target) == 5
        torch.testing.assert_close(result.total / count, expected)
        torch.testing.assert_close(*(torch.autograd.grad(v, rows)[0] for v in (result.total / count, expected)))
        assert result.parts == NTXent(EMBEDDING)({"embedding": rows}, target, LossContext(log=True)).parts
        here = torch.tensor([True, False, True, False, False, True])
        parts = [loss({"embedding": rows}, target, LossContext(queries=queries)).total for queries in (here, ~here)]
        torch.testing.assert_close(parts[0] + parts[1], result.total)
        loss.after_step()
        sent = torch.cat([sent, rows.detach()])
    assert not NTXent(EMBEDDING).state_dict()


@pytest.mark.parametrize(("progress", "temperature"), [(0.0, 0.8), (0.5, 0.45), (1.0, 0.1)])
def test_the_temperature_goes_from_its_start_to_its_end(make_batch, progress, temperature):
    rows, target = make_batch([3, 1, 2])
    falling = mean(NTXent(EMBEDDING, temperature=0.8, temperature_end=0.1), rows, target, LossContext(progress))
    constant = mean(NTXent(EMBEDDING, temperature=temperature), rows, target, LossContext(progress))
    torch.testing.assert_close(falling, constant, rtol=1e-12 if progress == 0.5 else 0, atol=0)
