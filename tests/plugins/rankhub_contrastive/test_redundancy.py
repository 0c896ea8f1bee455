"""Barlow Twins and VICReg against lightly and slow references."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.barlow_twins import BarlowTwins
from rankhub_contrastive.partners import off_diagonal
from rankhub_contrastive.vicreg import VICReg

EMBEDDING = {"embedding": OutputSpec("embedding", 4)}


def mean(loss, rows, target, **context):
    return loss({"embedding": rows}, target, LossContext(**context)).total / loss.count(target).clamp(min=1)


def views_of(rows, target, wanted):
    """One [n, d] a view number, of the samples that have all ``wanted`` views."""
    row_of = {(int(i), int(v)): row for row, (i, v) in enumerate(zip(target.index, target.view, strict=True))}
    samples = [i for i in sorted({i for i, _ in row_of}) if all((i, v) in row_of for v in range(wanted))]
    return [torch.stack([rows[row_of[i, v]] for i in samples]) for v in range(wanted)]


def slow_barlow(first, second, weight):
    first, second = ((z - z.mean(0)) / (z.var(0, unbiased=False) + 1e-5).sqrt() for z in (first, second))
    total = 0
    for i in range(first.shape[1]):
        for j in range(first.shape[1]):
            c = (first[:, i] * second[:, j]).mean()
            total = total + ((1 - c) ** 2 if i == j else weight * c**2)
    return total


def slow_vicreg(views, invariance=25.0, variance=25.0, covariance=1.0):
    d = views[0].shape[1]
    s = torch.stack([(a - b).square().mean() for a, b in combinations(views, 2)]).mean()
    v = torch.stack([(1 - (z.var(0) + 1e-4).sqrt()).clamp(min=0).mean() for z in views]).mean()
    c = 0
    for z in views:
        matrix = torch.cov(z.T)
        c = c + sum(matrix[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d * 2 / len(views)
    return invariance * s + variance * v + covariance * c


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 2), max_size=5), st.integers(0, 99))
def test_barlow_twins_equals_the_definition(make_batch, sizes, seed):
    rows, target = make_batch([2, 2, *sizes], seed)
    rows.requires_grad_()
    loss = BarlowTwins(EMBEDDING, off_diagonal_weight=0.03)
    value, expected = mean(loss, rows, target), slow_barlow(*views_of(rows, target, 2), 0.03)
    assert loss.count(target) == 2 + sizes.count(2)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, rows)[0] for v in (value, expected)))


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 4), st.lists(st.integers(1, 4), max_size=4), st.integers(0, 99))
def test_vicreg_equals_the_definition(make_batch, views, sizes, seed):
    sizes = [min(size, views) for size in sizes]
    rows, target = make_batch([views, views, *sizes], seed)
    rows.requires_grad_()
    loss = VICReg(EMBEDDING, invariance=3.0, variance=5.0, covariance=7.0)
    value, expected = mean(loss, rows, target), slow_vicreg(views_of(rows, target, views), 3, 5, 7)
    assert loss.count(target) == 2 + sizes.count(views)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v, rows)[0] for v in (value, expected)))


@pytest.mark.parametrize(
    ("loss", "theirs"),
    [
        (BarlowTwins(EMBEDDING), ("BarlowTwinsLoss", {"lambda_param": 1 / 128})),
        (VICReg(EMBEDDING), ("VICRegLoss", {})),
    ],
)
def test_equals_lightly(loss, theirs):
    name, options = theirs
    lightly = pytest.importorskip("lightly.loss")
    first, second = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    index = torch.arange(9).repeat(2)
    target = RankTarget(index, torch.arange(18) // 9, index, torch.ones(18))
    value = mean(loss, torch.cat([first, second]), target)
    torch.testing.assert_close(value, getattr(lightly, name)(**options)(first, second))


@pytest.mark.parametrize(("loss", "views"), [(BarlowTwins(EMBEDDING), 2), (VICReg(EMBEDDING), 3)])
def test_gradcheck(make_batch, loss, views):
    rows, target = make_batch([views] * 4 + [1])
    assert torch.autograd.gradcheck(
        lambda z: loss({"embedding": z}, target, LossContext()).total, rows.requires_grad_()
    )


@pytest.mark.parametrize("loss", [BarlowTwins(EMBEDDING), VICReg(EMBEDDING)])
@pytest.mark.parametrize("sizes", [[2], [1, 1, 1], []])
def test_fewer_than_two_images_give_zero_with_a_graph(make_batch, loss, sizes):
    rows, target = make_batch(sizes)
    total = loss({"embedding": rows.requires_grad_()}, target, LossContext(log=True)).total
    total.backward()
    assert total == 0
    assert (rows.grad == 0).all()


def test_constant_columns_cost_what_they_should(make_batch):
    _, target = make_batch([2, 2, 2])
    constant = torch.ones(6, 4)
    assert mean(BarlowTwins(EMBEDDING), constant, target).item() == pytest.approx(4)  # (1 - 0)² for each column
    assert mean(VICReg(EMBEDDING), constant, target).item() == pytest.approx(25 * (1 - 0.01))


def test_barlow_twins_refuses_three_views(make_batch):
    rows, target = make_batch([3, 3])
    with pytest.raises(UserError, match="exactly two views of each image, but this batch has 3"):
        BarlowTwins(EMBEDDING)({"embedding": rows}, target, LossContext())


def test_parts_make_up_the_loss(make_batch):
    rows, target = make_batch([2, 2, 2])
    for loss, weights in (
        (BarlowTwins(EMBEDDING), {"on_diagonal": 1, "off_diagonal": 1 / 128}),
        (VICReg(EMBEDDING), {"invariance": 25, "variance": 25, "covariance": 1}),
    ):
        result = loss({"embedding": rows.requires_grad_()}, target, LossContext(log=True))
        assert not any(part.requires_grad for part in result.parts.values())
        total = sum(weights[name] * part for name, part in result.parts.items())
        torch.testing.assert_close(total, result.total.detach() / 3)


def test_off_diagonal_leaves_out_the_diagonal():
    assert off_diagonal(torch.tensor([[9.0, 1.0], [2.0, 9.0]])) == 5
