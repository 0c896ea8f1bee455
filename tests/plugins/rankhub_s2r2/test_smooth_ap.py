"""Smooth-AP against published numbers, a slow reference, and the laws it must keep."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_s2r2 import rankhub_components, steps
from rankhub_s2r2.positives import queries_by_size
from rankhub_s2r2.precision import average_precision, hard_average_precision, share_within
from rankhub_s2r2.ranks import positive_ranks
from rankhub_s2r2.rows import unit_rows
from rankhub_s2r2.smooth_ap import SmoothAP, smooth_average_precision
from rankhub_s2r2.steps import Heaviside, Sigmoid

EMBEDDING = {"embedding": OutputSpec("embedding", 5)}


def golden() -> tuple[Tensor, Tensor]:
    """3 groups of 4 vectors in 5 dimensions, for which independent code agreed on the numbers below."""
    n = torch.arange(12, dtype=torch.float64)[:, None]
    k = torch.arange(5, dtype=torch.float64)
    return torch.cos(1.7 * (n // 4) + 0.9 * k) + 0.8 * torch.sin(2.3 * n + 1.1 * k**2), torch.arange(12) // 4


def make_target(group: Tensor) -> RankTarget:
    return RankTarget(group, torch.arange(len(group)), group, torch.ones(len(group)))


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


@st.composite
def batches(draw, min_sizes: int = 0) -> tuple[Tensor, Tensor]:
    """Normal embeddings [N, 3] in float64 and shuffled group ids of unequal size, with gaps and negative ids."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=min_sizes, max_size=6))
    ids = draw(st.lists(st.integers(-(2**62), 2**62), min_size=len(sizes), max_size=len(sizes), unique=True))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    group = torch.tensor([g for g, size in zip(ids, sizes, strict=True) for _ in range(size)], dtype=torch.int64)
    group = group[torch.randperm(len(group), generator=generator)]
    return torch.randn(len(group), 3, generator=generator, dtype=torch.float64), group


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
    assert hard_average_precision(rows, list(queries_by_size(group))).item() == pytest.approx(0.8291666666667)
    assert hard_average_precision(rows, list(queries_by_size(group, True))).item() == pytest.approx(0.8963789682540)


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


@settings(max_examples=25, deadline=None, derandomize=True)
@given(batches(min_sizes=1), st.integers(0, 2**31))
def test_order_of_the_rows_does_not_matter(batch, seed):
    z, group = batch
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))
    precision, valid = smooth_average_precision(z, group)
    moved, moved_valid = smooth_average_precision(z[order], group[order])
    torch.testing.assert_close(moved, precision[order])
    assert torch.equal(moved_valid, valid[order])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(batches(min_sizes=1), st.integers(0, 2**31), st.booleans())
def test_parts_of_the_queries_sum_to_the_whole(batch, seed, include_self):
    z, group = batch
    z.requires_grad_()
    target = make_target(group)
    loss = SmoothAP(EMBEDDING, include_self=include_self)
    here = torch.rand(len(z), generator=torch.Generator().manual_seed(seed)) < 0.5
    whole = loss({"embedding": z}, target, LossContext()).total
    parts = [loss({"embedding": z}, target, LossContext(queries=part)).total for part in (here, ~here)]
    torch.testing.assert_close(sum(parts), whole)
    (grad,) = torch.autograd.grad(whole, z)
    (part_grad,) = torch.autograd.grad(sum(parts), z)
    torch.testing.assert_close(part_grad, grad, rtol=1e-9, atol=1e-12)


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


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_no_positive_anywhere_is_a_zero_with_a_graph(rows):
    z = torch.randn(rows, 3, requires_grad=True)
    target = make_target(torch.arange(rows))
    loss = SmoothAP(EMBEDDING)
    result = loss({"embedding": z}, target, LossContext(log=True))
    result.total.backward()
    assert result.total == 0
    assert torch.equal(z.grad, torch.zeros_like(z))
    assert loss.count(target) == 0
    assert all(torch.isfinite(part) for part in result.parts.values())


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


def test_one_group_alone_has_nothing_to_lose():
    z = torch.randn(4, 3, requires_grad=True)
    total = SmoothAP(EMBEDDING)({"embedding": z}, make_target(torch.zeros(4, dtype=torch.int64)), LossContext()).total
    total.backward()
    assert total.item() == pytest.approx(0, abs=1e-6)
    assert z.grad.abs().max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_embeddings_are_compared_in_float32(dtype):
    z, group = golden()
    half = z.to(dtype).requires_grad_()
    full = half.detach().float().requires_grad_()
    precisions = [smooth_average_precision(x, group)[0] for x in (half, full)]
    assert torch.equal(*precisions)
    for precision in precisions:
        precision.sum().backward()
    assert half.grad.dtype == dtype
    torch.testing.assert_close(half.grad, full.grad.to(dtype))


def test_autocast_changes_nothing():
    z, group = golden()
    z = z.float().requires_grad_()
    outside = smooth_average_precision(z, group)[0]
    (grad,) = torch.autograd.grad(outside.sum(), z)
    with torch.autocast("cpu", torch.bfloat16):
        inside = smooth_average_precision(z, group)[0]
        (grad_inside,) = torch.autograd.grad(inside.sum(), z)
    assert torch.equal(inside, outside)
    assert torch.equal(grad_inside, grad)


@pytest.mark.parametrize("zero_rows", [(0,), (0, 1, 2, 3), tuple(range(12))])
def test_vectors_of_length_zero_give_finite_values_and_gradients(zero_rows):
    z, group = golden()
    z = z.float()
    z[list(zero_rows)] = 0
    z.requires_grad_()
    precision, _ = smooth_average_precision(z, group)
    precision.sum().backward()
    assert torch.isfinite(precision).all()
    assert z.grad.abs().max() < 100


def test_lengths_of_the_embeddings_do_not_matter():
    z, group = golden()
    lengths = torch.logspace(-15, 15, 12, dtype=torch.float32)[:, None]
    torch.testing.assert_close(
        smooth_average_precision(z.float() * lengths, group)[0], smooth_average_precision(z.float(), group)[0]
    )


def test_nothing_of_the_size_of_the_similarities_is_kept_for_the_backward():
    count, dim, views = 600, 8, 4
    z = torch.randn(count, dim, requires_grad=True)
    sizes = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        smooth_average_precision(z, torch.arange(count) // views)[0].sum().backward()
    assert max(sizes) <= count * max(dim, views)


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


def test_share_of_pairs_with_a_gradient_counts_pairs():
    z, group = golden()
    similarity = unit_rows(z) @ unit_rows(z).T
    for include_self in (False, True):
        gaps = [
            (similarity[q, j] - similarity[q, i]).abs()
            for q in range(12)
            for i in range(12)
            for j in range(12)
            if group[i] == group[q] and i != j and (include_self or q not in (i, j))
        ]
        expected = (torch.stack(gaps) < 0.2).double().mean()
        got = share_within(unit_rows(z), list(queries_by_size(group, include_self)), 0.2)
        torch.testing.assert_close(got, expected)


def test_parts_are_made_for_the_log_only_and_carry_no_graph():
    z, group = golden()
    z.requires_grad_()
    loss = SmoothAP(EMBEDDING)
    assert loss({"embedding": z}, make_target(group), LossContext()).parts == {}
    parts = loss({"embedding": z}, make_target(group), LossContext(log=True)).parts
    assert parts["mAP"].item() == pytest.approx(0.8291666666667)
    assert 0 < parts["pairs_with_gradient"] < 1
    assert not any(part.requires_grad for part in parts.values())


@pytest.mark.parametrize(
    ("views", "said"),
    [
        (ViewSpec(), "makes 1 view of each image;"),
        (ViewSpec(views=4, groups=4), "makes 4 views of each image in 4 groups;"),
        (ViewSpec(views=2), None),
        (ViewSpec(views=8, groups=4, levels="ordered"), None),
    ],
)
def test_check_objects_to_groups_of_one(views, said):
    sentences = list(SmoothAP(EMBEDDING).check(views, LabelSpec()))
    assert len(sentences) == (said is not None)
    assert all(said in sentence for sentence in sentences)


def test_needs_exactly_one_embedding():
    with pytest.raises(Objection, match="score"):
        SmoothAP({"score": OutputSpec("score")})


def test_names_the_loss():
    (component,) = rankhub_components()
    assert (component.kind, component.name, component.target) == (
        "loss",
        "smooth_ap",
        "rankhub_s2r2.smooth_ap:SmoothAP",
    )
