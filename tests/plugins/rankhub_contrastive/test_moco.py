"""MoCo against lightly and a slow reference."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.moco import MoCo

EMBEDDING = {"embedding": OutputSpec("embedding", 4)}


def taught(rows, **more):
    return LossContext(teacher={"embedding": rows}, **more)


def slow(z, k, queue, group, temperature):
    """The definition, pair by pair."""
    z, k = (rows / rows.norm(dim=1, keepdim=True) for rows in (z, k))
    total, count = 0 * z.sum(), 0
    for q in range(len(z)):
        positives = [j for j in range(len(z)) if j != q and group[j] == group[q]]
        count += bool(positives)
        for p in positives:
            logits = torch.cat([(z[q] @ k[p])[None], queue @ z[q]]) / temperature
            total = total + (logits.exp().sum().log() - logits[0]) / len(positives)
    return total, count


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.sampled_from([0.1, 0.2, 1.0]), st.integers(0, 99))
def test_equals_the_definition(make_batch, sizes, temperature, seed):
    (rows, target), (keys, _) = make_batch(sizes, seed), make_batch(sizes, seed + 1)
    loss = MoCo(EMBEDDING, temperature=temperature, queue=7).double()
    rows.requires_grad_()
    total = loss({"embedding": rows}, target, taught(keys)).total
    expected, count = slow(rows, keys, loss.queue.rows, target.group, temperature)
    assert loss.count(target) == count
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, rows)[0] for v in (total, expected)))


def test_one_direction_equals_lightly():
    lightly = pytest.importorskip("lightly.loss")
    generator = torch.Generator().manual_seed(0)
    views, keys = torch.randn(2, 12, 4, generator=generator)
    index = torch.arange(6).repeat(2)
    target = RankTarget(index, torch.arange(12) // 6, index, torch.ones(12))
    loss, theirs = MoCo(EMBEDDING, queue=9), lightly.NTXentLoss(0.2, memory_bank_size=(9, 4))
    theirs.memory_bank.bank = loss.queue.rows.clone()
    queries = target.view == 0
    total = loss({"embedding": views}, target, taught(keys, queries=queries)).total
    torch.testing.assert_close(total / 6, theirs(views[:6], keys[6:]))


def test_gradcheck(make_batch):
    (rows, target), (keys, _) = make_batch([3, 1, 2]), make_batch([3, 1, 2], 1)
    loss = MoCo(EMBEDDING, queue=5).double()
    assert torch.autograd.gradcheck(lambda z: loss({"embedding": z}, target, taught(keys)).total, rows.requires_grad_())


def test_the_teacher_gets_no_gradient(make_batch):
    rows, target = make_batch([2, 2])
    keys = rows.clone().requires_grad_()
    MoCo(EMBEDDING, queue=5)({"embedding": rows.requires_grad_()}, target, taught(keys)).total.backward()
    assert rows.grad.norm() > 0
    assert keys.grad is None


def test_the_queue_takes_the_teachers_embeddings_after_the_step(make_batch, unit):
    (rows, target), (keys, _) = make_batch([2, 2]), make_batch([2, 2], 1)
    loss = MoCo(EMBEDDING, queue=6).double()
    before = loss.queue.rows.clone()
    for _ in range(2):
        loss({"embedding": rows}, target, taught(keys))
        assert torch.equal(loss.queue.rows, before)
    loss.after_step()
    expected = torch.cat([unit(keys), before[4:]])
    torch.testing.assert_close(loss.queue.rows, expected)
    loss.after_step()  # a step of another stream
    torch.testing.assert_close(loss.queue.rows, expected)


def test_without_a_teacher_it_says_what_to_add(make_batch):
    rows, target = make_batch([2])
    with pytest.raises(UserError, match=r"add `average: .*teacher"):
        MoCo(EMBEDDING, queue=4)({"embedding": rows}, target, LossContext())


def test_parts(make_batch, unit):
    (rows, target), (keys, _) = make_batch([2, 3, 1]), make_batch([2, 3, 1], 1)
    loss = MoCo(EMBEDDING, queue=6).double()
    parts = loss({"embedding": rows}, target, taught(keys, log=True)).parts
    same = (target.group == target.group[:, None]).fill_diagonal_(False)
    torch.testing.assert_close(parts["positive_cosine"], (unit(rows) @ unit(keys).T)[same].mean())
    torch.testing.assert_close(parts["negative_cosine"], (unit(rows) @ loss.queue.rows.T).mean())
