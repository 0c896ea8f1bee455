"""What holds for every loss of the plugin, whatever its formula."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.ranking import EMBEDDING, batches, make_target
from helpers.slow_ranking import blackbox, total
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.graph import saved_tensors_hooks

import rankhub_s2r2
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import OutputSpec
from rankhub_s2r2 import steps, streamed

CATALOG = Catalog.of({"rankhub_s2r2": rankhub_s2r2})
NAMES = [entry.component.name for entry in CATALOG.entries("loss")]
COLLAPSED = {  # the loss of a query where all similarities are equal, of V views in each group and N in all
    "smooth_ap": lambda v, n: 1 - v / n,
    "graded_ap": lambda v, n: 1 - v / n,
    "ramp_ap": lambda v, n: 1 - v / n,
    "sup_ap": lambda v, n: 1 - (v - 1) / (v - 1 + (n - v) / 2) + 0.4,  # a cosine of 1 exceeds the margin of .6
    "pnp": lambda v, n: 1 - 1 / (1 + (n - v) / 2),
    "fast_ap": lambda v, n: 1 - (v - 1) / (n - 1),
    "histogram_ap": lambda v, n: 1 - (v - 1) / (n - 1),
    "blackbox_ap": lambda v, n: 1 - (v / 2) / (v / 2 + n - v),  # the margin puts all negatives first
}
VARIANTS = [
    *[(name, {}) for name in NAMES],
    *[(name, {"include_self": True}) for name in NAMES if name != "fast_ap"],
    *[("pnp", {"variant": variant, "tau": 0.1, "alpha": 3.0}) for variant in ("O", "Ds", "Dq", "Iu", "Ib")],
    ("ramp_ap", {"width": 0.8}),
    ("histogram_ap", {"bins": 6, "low": -0.2, "high": 0.7}),
    ("fast_ap", {"bins": 1}),
    ("sup_ap", {"calibration": 0.0, "start": 0.0, "offset": 1.0}),
]
losses = pytest.mark.parametrize("name", NAMES)
variants = pytest.mark.parametrize(("name", "options"), VARIANTS)
laws = settings(max_examples=6, deadline=None, derandomize=True)


def make(name, **options):
    return CATALOG.build("loss", ComponentSpec(use=name, **options), EMBEDDING)


def apply(loss, z, group, level=None, **context):
    return loss({"embedding": z}, make_target(group, level), LossContext(**context))


def gradient(total, z):
    return torch.autograd.grad(total, z)[0]


def unequal(seed=3, dim=4):
    """Rows in float64 in shuffled groups of 1 to 4."""
    generator = torch.Generator().manual_seed(seed)
    group = torch.tensor([7, 7, 7, 7, 2, 2, 5, 5, 5, -1])[torch.randperm(10, generator=generator)]
    return torch.randn(10, dim, generator=generator, dtype=torch.float64).requires_grad_(), group


@variants
@laws
@given(batch=batches(min_sizes=1))
def test_equals_the_definition(name, options, batch):
    z, group = batch
    z.requires_grad_()
    loss = make(name, **options)
    result = apply(loss, z, group).total
    if name == "blackbox_ap":
        expected, at_scores = blackbox(z.detach(), group, **options)
        unit = z / z.norm(dim=1, keepdim=True)
        expected_grad = gradient((unit @ unit.T * at_scores).sum(), z)
    else:
        expected, count = total(name, z, group, **options)
        assert loss.count(make_target(group)) == count
        expected_grad = gradient(expected, z)
    torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(gradient(result, z), expected_grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("name", "options"), [case for case in VARIANTS if case[0] != "blackbox_ap"])
def test_gradcheck(name, options):
    z, group = unequal()
    loss = make(name, **options)
    assert torch.autograd.gradcheck(lambda z: apply(loss, z, group).total, (z,), eps=1e-7)
    assert gradient(apply(loss, z, group).total, z).norm() > 1e-6


@losses
@laws
@given(batch=batches(min_sizes=1), seed=st.integers(0, 2**31))
def test_order_of_the_rows_does_not_matter(name, batch, seed):
    z, group = batch
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(seed))
    z.requires_grad_()
    one, other = apply(make(name), z, group).total, apply(make(name), z[order], group[order]).total
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(gradient(one, z), gradient(other, z))


@losses
@laws
@given(batch=batches(min_sizes=1), seed=st.integers(0, 2**31), include_self=st.booleans())
def test_parts_of_the_queries_sum_to_the_whole(name, batch, seed, include_self):
    z, group = batch
    z.requires_grad_()
    loss = make(name, **({"include_self": include_self} if name != "fast_ap" else {}))
    assert loss.scope == "batch"
    assert loss.per_query
    here = torch.rand(len(z), generator=torch.Generator().manual_seed(seed)) < 0.5
    whole = apply(loss, z, group).total
    parts = [apply(loss, z, group, queries=part).total for part in (here, ~here)]
    torch.testing.assert_close(sum(parts), whole)
    torch.testing.assert_close(gradient(sum(parts), z), gradient(whole, z), rtol=1e-9, atol=1e-12)


@losses
def test_the_gradient_is_linear_in_the_weight_of_the_loss(name):
    z, group = unequal()
    total = apply(make(name), z, group).total
    torch.testing.assert_close(gradient(total, z) * 0.01, gradient(apply(make(name), z, group).total * 0.01, z))


@losses
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.3, 0.0])
def test_equal_embeddings_have_the_height_of_a_collapse(name, dtype, value):
    group = (torch.arange(32) // 8)[torch.randperm(32, generator=torch.Generator().manual_seed(1))]
    z = torch.full((32, 7), value, dtype=dtype, requires_grad=True)
    result = apply(make(name), z, group, log=True)
    assert gradient(result.total, z).isfinite().all()
    assert all(part.isfinite() for part in result.parts.values())
    if value:
        assert result.total.item() / 32 == pytest.approx(COLLAPSED[name](8, 32), rel=1e-6)
        assert result.parts["mAP"] == 8 / 32
        assert result.parts["precision_at_1"] == 0
        assert result.parts["cosine_mean"].item() == pytest.approx(1)
        assert result.parts["cosine_std"].item() == pytest.approx(0, abs=1e-3)


@losses
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_no_positive_anywhere_is_a_zero_with_a_graph(name, rows):
    z = torch.randn(rows, 3, requires_grad=True)
    loss, group = make(name), torch.arange(rows)
    result = apply(loss, z, group, log=True)
    assert result.total == 0
    assert loss.count(make_target(group)) == 0
    assert torch.equal(gradient(result.total, z), torch.zeros_like(z))
    assert all(part.isfinite() for part in result.parts.values())


@losses
def test_no_query_in_this_process_is_a_zero_with_a_graph(name):
    z, group = unequal()
    result = apply(make(name), z, group, queries=torch.zeros(10, dtype=torch.bool), log=True)
    assert result.total == 0
    assert torch.equal(gradient(result.total, z), torch.zeros_like(z))


@losses
def test_one_group_alone_is_finite(name):
    z, _ = unequal()
    total = apply(make(name, **({"calibration": 0} if name == "sup_ap" else {})), z, torch.zeros(10).long()).total
    assert total.item() == pytest.approx(0, abs=1e-9)
    assert gradient(total, z).abs().max() < 1e-9


@losses
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_raised_to_float32_also_inside_autocast(name, dtype):
    z, group = unequal()
    half = z.detach().to(dtype).requires_grad_()
    full = half.detach().float().requires_grad_()
    loss = make(name)
    with torch.autocast("cpu", torch.bfloat16):
        inside = apply(loss, half, group).total
        at_half = gradient(inside, half)
    outside = apply(loss, full, group).total
    assert inside.dtype == torch.float32
    assert torch.equal(inside, outside)
    assert torch.equal(at_half, gradient(outside, full).to(dtype))


@losses
@pytest.mark.parametrize("zero_rows", [(0,), (0, 1, 2, 3), tuple(range(10))])
def test_rows_of_zero_give_finite_values_and_gradients(name, zero_rows):
    z, group = unequal()
    z = z.detach().float()
    z[list(zero_rows)] = 0
    z.requires_grad_()
    total = apply(make(name), z, group).total
    assert total.isfinite()
    assert gradient(total, z).isfinite().all()


@losses
def test_a_row_that_is_not_a_number_makes_the_loss_not_a_number(name):
    z, group = unequal()
    z = z.detach().clone()
    z[4] = torch.nan
    z.requires_grad_()
    total = apply(make(name), z, group).total
    gradient(total, z)  # and no index out of bounds
    assert not total.isfinite() or name == "blackbox_ap"


@losses
def test_block_and_tile_size_do_not_matter(monkeypatch, name):
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(45) // 5
    z = torch.randn(45, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    results = []
    for block_bytes, tile_bytes in ((2**22, 2**20), (1, 1), (2000, 2**20), (2**20, 4000)):
        monkeypatch.setitem(streamed._BLOCK_BYTES, "cpu", block_bytes)
        monkeypatch.setitem(steps._TILE_BYTES, "cpu", tile_bytes)
        total = apply(make(name), z, group).total
        results.append((total, gradient(total, z)))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-10, atol=1e-12)


@losses
def test_nothing_of_the_size_of_the_similarities_is_kept_for_the_backward(name):
    count, views = 600, 4
    z = torch.randn(count, 8, requires_grad=True)
    sizes = []
    with saved_tensors_hooks(lambda x: (sizes.append(x.numel()), x)[1], lambda x: x):
        apply(make(name), z, torch.arange(count) // views).total.backward()
    assert max(sizes) <= count * 21  # bins of a histogram


@losses
def test_the_same_call_gives_the_same_bits_and_draws_no_random_numbers(name):
    z, group = unequal()
    state = torch.get_rng_state()
    one, other = (apply(make(name), z, group).total for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(gradient(one, z), gradient(other, z))
    assert torch.equal(torch.get_rng_state(), state)


@losses
def test_parts_are_made_for_the_log_only_carry_no_graph_and_mean_the_same(name):
    z, group = unequal()
    assert apply(make(name), z, group).parts == {}
    parts = apply(make(name), z, group, log=True).parts
    assert not any(part.requires_grad or part.ndim for part in parts.values())
    unit = z.detach() / z.detach().norm(dim=1, keepdim=True)
    cosines, other = unit @ unit.T, ~torch.eye(10, dtype=torch.bool)
    same = (group == group[:, None]) & other
    assert parts["positive_cosine"].item() == pytest.approx(cosines[same].mean().item())
    assert parts["cosine_mean"].item() == pytest.approx(cosines[other].mean().item())
    assert parts["cosine_std"].item() == pytest.approx(cosines[other].std(correction=0).item())
    nearest = cosines.masked_fill(~other, -2).argmax(1)
    first = (group[nearest] == group)[same.any(1)].double().mean()
    assert parts["precision_at_1"].item() == pytest.approx(first.item())


@losses
@pytest.mark.parametrize(
    ("views", "said"),
    [
        (ViewSpec(), "makes 1 view of each image;"),
        (ViewSpec(views=4, groups=4), "makes 4 views of each image in 4 groups;"),
        (ViewSpec(views=2), None),
        (ViewSpec(views=8, groups=4, levels="ordered"), None),
    ],
)
def test_check_objects_to_groups_of_one(name, views, said):
    sentences = list(make(name).check(views, LabelSpec()))
    assert len(sentences) == (said is not None)
    assert all(said in sentence and sentence.startswith(name) for sentence in sentences)


@losses
def test_needs_exactly_one_embedding(name):
    with pytest.raises(Objection, match=f"{name} needs one output of kind embedding"):
        CATALOG.build("loss", ComponentSpec(use=name), {"score": OutputSpec("score")})


def test_every_option_is_described():
    assert set(NAMES) == set(COLLAPSED)
    for entry in CATALOG.entries("loss"):
        options = CATALOG.arguments("loss", ComponentSpec(use=entry.component.name))
        assert set(options) <= set(docs_of(CATALOG.load(entry)).args), entry.component.name


def test_listing_the_components_imports_no_torch():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(rankhub_s2r2.__file__).parents[1])!r}); "
        "import rankhub_s2r2; assert rankhub_s2r2.rankhub_components(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
