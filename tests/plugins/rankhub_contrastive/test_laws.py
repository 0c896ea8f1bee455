"""What holds for every loss of the plugin: the order of rows, counts, precision, state, checks, and whole runs."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import fakes
from helpers.training import equal, objective, parts_of, recipe, streams, train, weights

import rankhub_contrastive
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.model import FeatureSpec, OutputSpec

CATALOG = Catalog.of({"rankhub_contrastive": rankhub_contrastive, "fakes": fakes})
OUTPUT = {name: ("scores", "prototypes") if name == "dino" else ("embedding", "embedding") for name in (
    "nt_xent", "moco", "swav", "dino", "barlow_twins", "vicreg"
)}  # fmt: skip
OPTIONS = {"moco": {"queue": 6}, "swav": {"prototypes": 5, "queue": 4, "queue_from": 0.0, "freeze_until": 0.0}}
BATCHWIDE = ["barlow_twins", "vicreg"]
losses = pytest.mark.parametrize("name", OUTPUT)
by_query = pytest.mark.parametrize("name", [name for name in OUTPUT if name not in BATCHWIDE])


def make(name, **options):
    torch.manual_seed(0)
    output, kind = OUTPUT[name]
    spec = ComponentSpec(use=name, **{**OPTIONS.get(name, {}), **options})
    return CATALOG.build("loss", spec, {output: OutputSpec(kind, 4)}).double()


def apply(loss, name, rows, target, taught=None, **context):
    output, _ = OUTPUT[name]
    teacher = {output: rows.detach() * 0.5 + 0.3 if taught is None else taught}
    return loss({output: rows}, target, LossContext(teacher=teacher, **{"progress": 0.5, **context}))


def gradient(total, rows):
    return torch.autograd.grad(total, rows)[0]


@losses
def test_the_order_of_rows_does_not_matter(make_batch, name):
    rows, target = make_batch([2, 2, 2, 1, 2])
    rows.requires_grad_()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(5))
    loss = make(name)
    one, other = apply(loss, name, rows, target).total, apply(loss, name, rows[order], target.rows(order)).total
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(gradient(one, rows), gradient(other, rows))


@losses
def test_counts_of_parts_add_up(make_batch, name):
    _, target = make_batch([2, 2, 1, 2, 2])
    loss = make(name)
    first = torch.isin(target.index, target.index.unique()[:3])
    halves = [loss.count(target.rows(rows.nonzero().flatten())) for rows in (first, ~first)]
    assert halves[0] + halves[1] == loss.count(target) > 0


@by_query
def test_queries_are_divided_among_processes(make_batch, name):
    rows, target = make_batch([3, 2, 2, 1, 4])
    rows.requires_grad_()
    loss = make(name)
    assert loss.per_query
    mine = torch.isin(target.index, target.index.unique()[:3])
    whole = apply(loss, name, rows, target).total
    parts = [apply(loss, name, rows, target, queries=queries).total for queries in (mine, ~mine)]
    torch.testing.assert_close(parts[0] + parts[1], whole)
    torch.testing.assert_close(gradient(parts[0], rows) + gradient(parts[1], rows), gradient(whole, rows))


@pytest.mark.parametrize("name", BATCHWIDE)
def test_a_loss_that_is_no_sum_over_queries_says_so(name):
    assert not make(name).per_query


@losses
@pytest.mark.parametrize("sizes", [[1, 1, 1], [1], []])
def test_views_without_a_partner_give_a_finite_zero_with_a_graph(make_batch, name, sizes):
    rows, target = make_batch(sizes)
    loss = make(name)
    result = apply(loss, name, rows.requires_grad_(), target, log=True)
    assert loss.count(target) == 0
    assert result.total == 0
    assert (gradient(result.total, rows) == 0).all()
    assert all(part.isfinite() for part in result.parts.values())
    loss.after_step()
    assert all(value.isfinite().all() for value in loss.state_dict().values())


@losses
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_outputs_give_finite_numbers(make_batch, name, value):
    rows, target = make_batch([2, 2, 2])
    rows = torch.full_like(rows, value).requires_grad_()
    result = apply(make(name), name, rows, target, log=True)
    assert result.total.isfinite()
    assert gradient(result.total, rows).isfinite().all()
    assert all(part.isfinite() for part in result.parts.values())


@losses
def test_half_precision_is_raised_to_float32_also_inside_autocast(make_batch, name):
    rows, target = make_batch([2, 2, 2, 2], dim=4)
    half = rows.bfloat16()
    loss = make(name).float()
    values = []
    for given in (half, half.float()):
        given = given.detach().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            total = apply(loss, name, given, target, taught=half * 0.5).total
        assert total.dtype == torch.float32
        values.append((total, gradient(total, given).float()))
    torch.testing.assert_close(values[0][0], values[1][0])
    torch.testing.assert_close(values[0][1], values[1][1], rtol=1e-2, atol=1e-3)
    exact = apply(loss.double(), name, half.double().requires_grad_(), target, taught=half.double() * 0.5).total
    torch.testing.assert_close(values[0][0].double(), exact, rtol=1e-5, atol=1e-5)


@losses
def test_forward_moves_nothing_and_the_state_comes_back(make_batch, name):
    batches = [make_batch([2, 2, 2, 2], seed) for seed in range(3)]
    loss = make(name)
    before = copy.deepcopy(loss.state_dict())
    first, again = (apply(loss, name, *batches[0]).total for _ in range(2))
    assert torch.equal(first, again)
    assert equal(before, loss.state_dict())
    loss.after_step()
    other = make(name)
    other.load_state_dict(copy.deepcopy(loss.state_dict()))
    for batch in batches[1:]:
        totals = []
        for one in (loss, other):
            totals.append(apply(one, name, *batch).total)
            one.after_step()
        assert torch.equal(*totals)
    assert equal(loss.state_dict(), other.state_dict())


@pytest.mark.parametrize("global_views", [1, 2])
def test_small_crops_are_no_targets(make_batch, global_views):
    rows, target = make_batch([4, 4])
    teacher, small = rows * 0.5, (target.view >= global_views)[:, None]
    loss = make("dino", global_views=global_views)
    values = [apply(loss, "dino", rows, target, taught=teacher + shift * small).total for shift in (0.0, 1.0)]
    assert torch.equal(*values)
    for name in ("swav", "dino"):
        assert make(name, global_views=global_views).count(target) == 2 * global_views * 3


VIEWS = {
    "one": ViewSpec(),
    "alone": ViewSpec(views=3, groups=3, sizes=((3, 32),)),
    "two": ViewSpec(views=2, sizes=((2, 32),)),
    "three": ViewSpec(views=3, sizes=((3, None),)),
    "crops": ViewSpec(views=6, sizes=((2, 96), (4, 48))),
    "large_last": ViewSpec(views=6, sizes=((4, 48), (2, 96))),
}


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("nt_xent", {"one": "at least two", "alone": "in 3 groups"}),
        ("moco", {"one": "at least two", "alone": "in 3 groups"}),
        ("swav", {"one": "1 view", "large_last": "48 px beside others of 96 px"}),
        ("dino", {"one": "1 view", "large_last": "48 px beside others of 96 px"}),
        ("barlow_twins", {name: "exactly two" for name in VIEWS if name != "two"}),
        ("vicreg", {"one": "at least two"}),
    ],
)
def test_check_objects_to_views_that_a_loss_cannot_use(name, refused):
    loss = make(name)
    for views, spec in VIEWS.items():
        sentences = list(loss.check(spec, LabelSpec()))
        assert len(sentences) == (views in refused), (views, sentences)
        assert all(refused[views] in sentence and name in sentence for sentence in sentences)


def test_check_objects_to_more_global_views_than_there_are():
    (sentence,) = make("swav", global_views=4).check(VIEWS["three"], LabelSpec())
    assert "makes 3 views of each image" in sentence


def test_every_option_is_described_and_defaults_build_without_drawing_weights():
    for entry in [*CATALOG.entries("loss"), *CATALOG.entries("head")]:
        if entry.owner != "rankhub_contrastive":
            continue
        name, kind = entry.component.name, entry.component.kind
        spec = ComponentSpec(use=f"rankhub_contrastive/{name}")
        options = CATALOG.arguments(kind, spec)
        assert set(options) <= set(docs_of(CATALOG.load(entry)).args), name
        output, meaning = OUTPUT.get(name, ("logits", "logits"))
        head_inputs = [FeatureSpec(8), LabelSpec("class", ("a", "b")) if name == "classifier" else LabelSpec()]
        wired = [{output: OutputSpec(meaning, 8)}] if kind == "loss" else head_inputs
        with torch.device("meta"):
            module = CATALOG.build(kind, spec, *wired)
        assert all(value.is_meta for value in module.state_dict().values())


def test_listing_the_components_imports_no_torch():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(rankhub_contrastive.__file__).parents[1])!r}); "
        "import rankhub_contrastive; assert len(rankhub_contrastive.rankhub_components()) == 9; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "options"),
    [*((name, OPTIONS.get(name, {})) for name in OUTPUT), ("nt_xent", {"queue": 6, "temperature_end": 0.1})],
)
def test_a_run_that_is_stopped_and_resumed_ends_with_the_same_bits(tmp_path, name, options):
    head = {"use": "rankhub_contrastive/dino", "prototypes": 6, "hidden": 5, "bottleneck": 3}
    views = {
        "generator": [{"use": "jitter", "views": 2}],
        "objectives": [objective(name, **options)],
    }
    ours = recipe(
        heads={"main": head if name == "dino" else {"use": "arrow"}},
        average={"decay": 0.9, "use_for": ["teacher"]},
        streams=streams(views=views),
        phases=[{"name": "first", "steps": 7, "streams": ["views"]}],
        evaluate=[],
        checkpoint={"every_steps": 3, "keep": 9},
    )
    runs = {}
    for folder, stops in (("whole", [None]), ("cut", [2, 5, None])):
        (tmp_path / folder).mkdir()
        for stop in stops:
            runs[folder] = train(parts_of(ours, CATALOG), tmp_path / folder, resume=True, stop_after=stop)
    assert equal(weights(runs["whole"]), weights(runs["cut"]))
    assert not equal(weights(runs["whole"]), parts_of(ours, CATALOG).network.state_dict())
