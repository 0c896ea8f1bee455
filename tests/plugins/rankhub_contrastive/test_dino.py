"""DINO against lightly and a slow reference; its centre, temperatures and head."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import Features, FeatureSpec, OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.dino import DINO
from rankhub_contrastive.dino_head import DINOHead

SCORES = {"scores": OutputSpec("prototypes", 4), "embedding": OutputSpec("embedding", 2)}


def taught(scores, **more):
    return LossContext(teacher={"scores": scores}, **more)


def slow(student, teacher, target, centre, teacher_temperature, global_views):
    """The definition, pair by pair: sum and number."""
    total, count = 0 * student.sum(), 0
    for t in range(len(student)):
        for s in range(len(student)):
            if target.view[t] < global_views and s != t and target.index[s] == target.index[t]:
                wanted = ((teacher[t] - centre) / teacher_temperature).softmax(0)
                total = total - wanted @ (student[s] / 0.1).softmax(0).log()
                count += 1
    return total, count


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 99))
def test_equals_the_definition(make_batch, sizes, global_views, seed):
    (rows, target), (scores, _) = make_batch(sizes, seed), make_batch(sizes, seed + 1)
    loss = DINO(SCORES, global_views=global_views).double()
    loss.center.normal_()
    total = loss({"scores": rows.requires_grad_()}, target, taught(scores, progress=0.5)).total
    expected, count = slow(rows, scores, target, loss.center, 0.07, global_views)
    assert loss.count(target) == count
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, rows)[0] for v in (total, expected)))


def test_equals_lightly_over_several_steps():
    lightly = pytest.importorskip("lightly.loss")
    theirs = lightly.DINOLoss(output_dim=4, teacher_temp=0.06)
    ours = DINO(SCORES, teacher_temperature=0.06, warmup=0.0)
    index, view = torch.arange(3).repeat(4), torch.arange(4).repeat_interleave(3)
    target = RankTarget(index, view, index, torch.ones(12))
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        student, teacher = torch.randn(2, 4, 3, 4, generator=generator)
        result = ours({"scores": student.flatten(0, 1)}, target, taught(teacher.flatten(0, 1)))
        torch.testing.assert_close(result.total / ours.count(target), theirs(list(teacher[:2]), list(student)))
        ours.after_step()
        torch.testing.assert_close(ours.center, theirs.center.flatten())


def test_gradcheck(make_batch):
    (rows, target), (scores, _) = make_batch([3, 1, 2]), make_batch([3, 1, 2], 1)
    loss = DINO(SCORES, global_views=2).double()
    assert torch.autograd.gradcheck(lambda x: loss({"scores": x}, target, taught(scores)).total, rows.requires_grad_())


def test_the_centre_moves_after_the_step_only(make_batch):
    (rows, target), (scores, _) = make_batch([3, 3]), make_batch([3, 3], 1)
    loss = DINO(SCORES, center_momentum=0.75).double()
    for _ in range(2):
        loss({"scores": rows}, target, taught(scores))
        assert (loss.center == 0).all()
    loss.after_step()
    moved = 0.25 * scores[target.view < 2].mean(0)
    torch.testing.assert_close(loss.center, moved)
    loss.after_step()  # a step of another stream
    torch.testing.assert_close(loss.center, moved)


def test_the_teachers_temperature_warms_up():
    loss = DINO(SCORES, teacher_temperature_start=0.04, teacher_temperature=0.08, warmup=0.5)
    assert [loss.temperature_at(p) for p in (0.0, 0.25, 0.5, 1.0)] == pytest.approx([0.04, 0.06, 0.08, 0.08])
    assert DINO(SCORES, warmup=0.0).temperature_at(0.0) == pytest.approx(0.07)


def test_without_a_teacher_it_says_what_to_add(make_batch):
    rows, target = make_batch([2])
    with pytest.raises(UserError, match=r"add `average: .*teacher"):
        DINO(SCORES)({"scores": rows}, target, LossContext())


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_head_gives_cosines_with_its_prototypes(norm, unit):
    head = DINOHead(FeatureSpec(6), LabelSpec(), prototypes=5, hidden=7, bottleneck=3, norm=norm)
    assert dict(head.outputs) == {"embedding": OutputSpec("embedding", 3), "scores": OutputSpec("prototypes", 5)}
    out = head(Features(torch.randn(8, 6, generator=torch.Generator().manual_seed(0))))
    torch.testing.assert_close(out["embedding"].norm(dim=1), torch.ones(8))
    torch.testing.assert_close(out["scores"], out["embedding"] @ unit(head.prototypes).T)
    out["scores"].square().sum().backward()
    gradient = head.prototypes.grad
    assert gradient.norm() > 0
    torch.testing.assert_close((gradient * head.prototypes).sum(1), torch.zeros(5), atol=1e-5, rtol=0)
    assert sum(isinstance(module, torch.nn.BatchNorm1d) for module in head.modules()) == (2 if norm == "batch" else 0)


def test_head_takes_cosines_in_float32_inside_autocast():
    head = DINOHead(FeatureSpec(6), LabelSpec(), prototypes=5, hidden=7, bottleneck=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = head(Features(torch.randn(8, 6)))
    assert {value.dtype for value in out.values()} == {torch.float32}
    torch.testing.assert_close(out["embedding"].norm(dim=1), torch.ones(8))
