"""SwAV against lightly and a slow reference; its codes, prototypes and queues."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.prediction import prediction_loss, target_parts
from rankhub_contrastive.swav import SwAV, sinkhorn

EMBEDDING = {"embedding": OutputSpec("embedding", 4)}
LATE = LossContext(progress=0.5)


def make(**options):
    torch.manual_seed(0)
    return SwAV(EMBEDDING, **{"prototypes": 5, **options}).double()


def direct(scores, epsilon, iterations):
    """Sinkhorn as the paper writes it."""
    q = (scores / epsilon).exp().T
    q = q / q.sum()
    for _ in range(iterations):
        q = q / q.sum(1, keepdim=True) / q.shape[0]
        q = q / q.sum(0, keepdim=True) / q.shape[1]
    return (q * q.shape[1]).T


def slow(z, target, prototypes, global_views):
    """The definition, pair by pair: sum and number."""
    scores = z / z.norm(dim=1, keepdim=True) @ prototypes.T
    total, count = 0 * scores.sum(), 0
    for view in range(global_views):
        members = (target.view == view).nonzero().flatten().tolist()
        codes = direct(scores[members].detach(), 0.05, 3)
        for t, code in zip(members, codes, strict=True):
            for s in range(len(z)):
                if s != t and target.index[s] == target.index[t]:
                    total = total - code @ (scores[s] / 0.1).softmax(0).log()
                    count += 1
    return total, count


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 99))
def test_equals_the_definition(make_batch, sizes, global_views, seed):
    rows, target = make_batch(sizes, seed)
    loss = make(global_views=global_views)
    inputs = (rows.requires_grad_(), loss.prototypes)
    total = loss({"embedding": rows}, target, LATE).total
    expected, count = slow(rows, target, loss.prototypes, global_views)
    assert loss.count(target) == count
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, inputs) for v in (total, expected)))


@pytest.mark.parametrize("queue", [0, 6])
def test_equals_lightly_on_crops_of_two_sizes(queue, unit):
    theirs = pytest.importorskip("lightly.loss.swav_loss").SwaVLoss()
    z = torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    index, view = torch.arange(7).repeat(5), torch.arange(5).repeat_interleave(7)
    target = RankTarget(index, view, index, torch.ones(35))
    loss = make(queue=queue)
    earlier = []
    for filled in loss.queues:
        filled.push(unit(torch.randn(queue, 4, dtype=torch.float64)))
        earlier.append(filled.rows @ loss.prototypes.T)
    scores = [unit(one) @ loss.prototypes.T for one in z]
    value = loss({"embedding": z.flatten(0, 1)}, target, LATE).total / loss.count(target)
    torch.testing.assert_close(value, theirs(scores[:2], scores[2:], earlier or None)[0])


@given(st.integers(1, 6), st.integers(2, 6), st.integers(1, 5), st.integers(0, 99))
def test_sinkhorn_equals_the_paper(count, prototypes, iterations, seed):
    scores = torch.randn(count, prototypes, generator=torch.Generator().manual_seed(seed)).double().clamp(-1, 1)
    codes = sinkhorn(scores, 0.05, iterations)
    torch.testing.assert_close(codes, direct(scores, 0.05, iterations))
    torch.testing.assert_close(codes.sum(1), torch.ones(count).double())


def test_sinkhorn_uses_all_prototypes_equally_in_the_limit():
    scores = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sinkhorn(scores, 0.5, 200).sum(0), torch.full((4,), 3.0))


def test_sinkhorn_of_a_tiny_epsilon_stays_finite():
    codes = sinkhorn(torch.tensor([[1.0, -1.0, 0.0], [1.0, -1.0, 0.5]]), 1e-4, 3)
    torch.testing.assert_close(codes.sum(1), torch.ones(2))


def test_gradcheck_of_the_prediction(make_batch):
    logits, target = make_batch([3, 1, 2], dim=5)
    rows = torch.tensor([0, 2, 3])
    targets = torch.rand(3, 5, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: prediction_loss(targets, rows, x, target), logits.requires_grad_())


def test_prototypes_stand_still_at_first(make_batch):
    rows, target = make_batch([3, 2], dim=4)
    loss = make(freeze_until=0.2)
    loss({"embedding": rows.requires_grad_()}, target, LossContext(progress=0.1)).total.backward()
    assert loss.prototypes.grad is None  # an optimizer passes over it, and so does weight decay
    assert rows.grad.norm() > 0
    loss({"embedding": rows}, target, LossContext(progress=0.2)).total.backward()
    assert loss.prototypes.grad.norm() > 0


def test_after_a_step_prototypes_are_of_unit_length(make_batch):
    rows, target = make_batch([2, 2])
    loss = make()
    loss({"embedding": rows}, target, LATE)
    with torch.no_grad():
        loss.prototypes.mul_(3)
    loss.after_step()
    torch.testing.assert_close(loss.prototypes.norm(dim=1), torch.ones(5).double())


def test_without_a_forward_a_step_changes_nothing():
    loss = make(queue=3)
    with torch.no_grad():
        loss.prototypes.mul_(3)
    before = loss.state_dict()
    expected = {name: value.clone() for name, value in before.items()}
    loss.after_step()
    torch.testing.assert_close(loss.state_dict(), expected, rtol=0, atol=0)


def test_queues_hold_the_global_views_and_wait_until_they_are_full(make_batch, unit):
    rows, target = make_batch([3, 3])
    plain, queued = make(), make(queue=4, queue_from=0.3)

    def total(loss, progress):
        return loss({"embedding": rows}, target, LossContext(progress=progress)).total

    early, late = 0.2, 0.4
    torch.testing.assert_close(total(queued, late), total(plain, late))
    queued.after_step()
    torch.testing.assert_close(queued.queues[1].rows[:2], unit(rows)[target.view == 1])
    assert not queued.queues[0].full
    torch.testing.assert_close(total(queued, late), total(plain, late))
    queued.after_step()
    assert queued.queues[0].full
    with torch.no_grad():  # other embeddings than those of the batch, which twice over would change no code
        queued.queues[0].rows.copy_(unit(torch.randn(4, 4, dtype=torch.float64)))
    torch.testing.assert_close(total(queued, early), total(plain, early))
    assert (total(queued, late) - total(plain, late)).abs() > 1e-3


def test_parts_tell_sharp_from_collapsed():
    sharp = target_parts(torch.eye(4))
    assert sharp["target_entropy"] == 0
    assert sharp["perplexity"].item() == pytest.approx(4)
    collapsed = target_parts(torch.eye(4)[:1].expand(4, 4))
    assert collapsed["perplexity"].item() == pytest.approx(1)
    assert target_parts(torch.empty(0, 4)) == {}
