"""All that is wrong with a recipe, at once."""

from __future__ import annotations

import pytest
from helpers import fakes
from helpers.recipes import load_text

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.report import RecipeErrors

CATALOG = Catalog.of({"fakes": fakes})


def problems(*overrides, text=fakes.RECIPE, catalog=CATALOG, **options):
    with pytest.raises(RecipeErrors) as caught:
        load_text(text, overrides, catalog, file="file.yaml", **options)
    return [str(problem).partition("  ")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sed=3", "sed: unknown key 'sed'; did you mean 'seed'?"),
        ("seed=-1", "seed: got -1; expected a whole number of at least 0 and below 9.22337e+18"),
        ("seed=1.0", "seed: got 1.0; expected a whole number of at least 0 and below 9.22337e+18"),
        ("channels_last=yes", 'channels_last: got "yes"; expected true or false'),
        ("precision=bf8", 'precision: got "bf8"; expected one of fp32, bf16, fp16'),
        ("device=gpu", 'device: got "gpu"; expected auto, cpu, cuda or cuda:NUMBER'),
        ("clip_grad='1'", 'clip_grad: got "1"; expected a number above 0 or null'),
        ("name=a/b", 'name: got "a/b"; expected a name of letters, digits and _ . - or null'),
        ("backbone=flat", 'backbone: got "flat"; expected a backbone, {use: NAME, ...} (write {use: flat})'),
        ("backbone={width: 3}", "backbone.use: missing; expected the name of a backbone"),
        ("backbone.use=3", "backbone.use: got 3; expected text"),
        ("data={}", "data: got {}; expected a mapping of at least 1"),
        ("phases.0.mix=jiont", 'phases.0.mix: got "jiont"; expected joint or a mapping with the keys alternate'),
        ("phases.0.mix.alternate=0", "phases.0.mix.alternate: got 0; expected a whole number of at least 1"),
        ("phases.0.mix={alternat: 3}", "phases.0.mix.alternat: unknown key 'alternat'; did you mean 'alternate'?"),
        ("average={}", "average.decay: missing; expected a number or a schedule, {use: NAME, ...}"),
        ("average.decay={use: ramp, strt: 3}", None),
        ("streams.views.objectives.0.weight={uze: 3}", None),
        ("evaluate.0.optional=3", "evaluate.0.optional: got 3; expected true or false"),
        ("checkpoint.kep=3", "checkpoint.kep: unknown key 'kep'; did you mean 'keep'?"),
        (
            "phases.0.lr_scale={backbone: fast}",
            'phases.0.lr_scale.backbone: got "fast"; expected a number of at least 0',
        ),
        (
            "phases.0={name: a, streams: [views], epochs: 1, steps: 3}",
            "phases.0: `epochs` and `steps` both say how long the phase is; keep one of them",
        ),
        (
            "phases.0.epochs=null",
            "phases.0: nothing says how long the phase is; expected `epochs: NUMBER` or `steps: NUMBER`",
        ),
        ("streams.my-views={}", None),
    ],
)
def test_shape(change, said):
    found = problems(change)
    if said is not None:
        assert said in found
    else:
        assert found
    assert not any(
        word in problem.lower() for problem in found for word in ("pydantic", "input should", "field required")
    )


def test_a_name_that_the_recipe_may_not_choose():
    found = problems("data={my photos: {use: patches}, train: {use: patches}, test: {use: patches}}")
    assert found == [
        'data.my photos: got the name "my photos"; expected a name of letters, digits and _ that starts with a letter'
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("heads.main.use=arow", "heads.main.use: no head is called 'arow'; did you mean 'arrow' of fakes?"),
        (
            "heads.main.use=pull",
            "heads.main.use: no head is called 'pull' (it is the loss 'pull' of plugin fakes); expected arrow",
        ),
        ("heads.main.use=fake/arrow", "heads.main.use: no plugin is called 'fake'; did you mean 'fakes'?"),
        ("heads.main.dmi=3", "heads.main.dmi: unknown option 'dmi'; did you mean 'dim'? [fakes]"),
        ("heads.main.dim=0", "heads.main.dim: got 0; expected a whole number of at least 1 [fakes]"),
        (
            "optimizer.lr=fast",
            (
                'optimizer.lr: got "fast"; expected a number above 0 or a schedule, {use: NAME, ...} '
                "(write {use: fast}) [fakes]"
            ),
        ),
        ("optimizer.lr={use: rmp}", "optimizer.lr.use: no schedule is called 'rmp'; did you mean 'ramp' of fakes?"),
        (
            "optimizer.lr={use: ramp, strt: 1}",
            "optimizer.lr.strt: unknown option 'strt'; did you mean 'start'? [fakes]",
        ),
        ("average.decay={use: ramp, end: x}", 'average.decay.end: got "x"; expected a number [fakes]'),
        (
            "streams.views.objectives.0.weight={use: rmp}",
            ("streams.views.objectives.0.weight.use: no schedule is called 'rmp'; did you mean 'ramp' of fakes?"),
        ),
        (
            "phases.0.optimizer={use: descent, lr: 0}",
            "phases.0.optimizer.lr: got 0; expected a number above 0 or a schedule, {use: NAME, ...} [fakes]",
        ),
        (
            "callbacks=[{use: stopper, after: -1}]",
            "callbacks.0.after: got -1; expected a whole number of at least 1 [fakes]",
        ),
        ("evaluate.0={use: spread}", "evaluate.0.data: missing; expected the name of an entry under `data:` [fakes]"),
    ],
)
def test_components(change, said):
    assert said in problems(change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "streams.views.data=trian",
            "streams.views.data: no data set is called 'trian'; did you mean 'train'?",
        ),
        (
            "streams.views.objectives.0.head=mian",
            "streams.views.objectives.0.head: no head is called 'mian'; did you mean 'main'?",
        ),
        ("phases.0.clock=view", "phases.0.clock: no stream is called 'view' in this phase; did you mean 'views'?"),
        ("evaluate.0.data=tset", "evaluate.0.data: no data set is called 'tset'; did you mean 'test'? [fakes]"),
    ],
)
def test_names(change, said):
    assert problems(change) == [said]


def test_a_phase_of_several_streams_needs_a_clock():
    views = "{data: train, batch_size: 2, generator: [{use: jitter}], objectives: [{use: pull, head: main}]}"
    (said,) = problems(f"streams.more={views}", "phases.first.streams=[views, more]")
    assert said.startswith("phases.0: a phase of several streams with `epochs` needs `clock: STREAM`")


def test_phases_of_one_name():
    phase = "- {name: first, epochs: 3, streams: [views]}\n"
    text = fakes.RECIPE.replace(phase, 2 * phase)
    assert problems(text=text) == ["phases: phase names must differ, first stands more than once"]


def test_one_error_hides_no_other():
    found = problems(
        "sed=1",
        "optimizer.lr=-1",
        "heads.main.use=arow",
        "streams.views.generator=[]",
        "streams.views.data=trian",
        "streams.views.accumulate=4",
        "evaluate.0={use: spread, data: test, labeled: true}",
        "data.test.labeled=false",
        "phases.0.freeze=[backbon.*]",
        "optimzer.lr=1",
        "phases.0.clock=view",
    )
    assert len(found) == 9
    for said in (
        "sed: unknown key",
        "optimizer.lr: got -1",
        "heads.main.use: no head is called 'arow'",
        "views.data: no data set is called 'trian'",
        "accumulate: batch_size 6 cannot be cut into 4 equal micro-batches; streams.views.accumulate=3 would do",
        "evaluate.0: data set 'test' has no labels",
        "the pattern 'backbon.*' matches no parameter of the network; did you mean 'backbone.*'?",
        "optimzer: a recipe has no 'optimzer'",
        "clock: no stream is called 'view'",
    ):
        assert any(said in problem for problem in found), said


def test_an_error_is_not_followed_by_what_it_causes():
    assert problems("data.train.count=0") == ["data.train.count: got 0; expected a whole number of at least 1 [fakes]"]
    assert problems("backbone.width=0") == ["backbone.width: got 0; expected a whole number of at least 1 [fakes]"]
    assert len(problems("data.test={like: train, use: patches}")) == 1
    assert problems("data.test={like: trian}") == [
        "data.test.like: no data set is called 'trian'; did you mean 'train'?"
    ]


def test_what_a_like_inherits_is_wrong_once():
    text = fakes.RECIPE.replace("test: {use: patches, count: 10}", "test: {like: train}").replace(
        "count: 24", "count: 0"
    )
    assert problems(text=text) == ["data.train.count: got 0; expected a whole number of at least 1 [fakes]"]


def test_the_report_is_in_the_order_of_lines_and_counts():
    with pytest.raises(RecipeErrors) as caught:
        load_text(
            fakes.RECIPE.replace("lr: 0.05", "lr: 0").replace("count: 24", "count: 0"), ["sed=3"], CATALOG, file="f"
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == "f cannot be used:"
    assert [line.split("  ")[1] for line in lines[1:-1]] == ["f:4", "f:9", "override 'sed=3'"]
    assert lines[-1] == "3 errors in f"


def test_a_component_whose_plugin_cannot_be_imported_shows_the_plugin_s_own_error():
    from helpers.plugins import component, plugin

    catalog = Catalog.of({"fakes": fakes, "mine": plugin(component("x", "no_such_module:X"))})
    found = problems("streams.views.objectives.0={use: x, head: main}", catalog=catalog)
    assert found == [
        "streams.views.objectives.0.use: loss 'x' of plugin mine cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_module' [mine]"
    ]


class Absent(fakes.Patches):
    """Never there."""

    def __init__(self, *, where: str = "x"):
        super().__init__()
        self.where = where

    def missing(self):
        if self.where == "bug":
            raise ZeroDivisionError("oh")
        return f"nothing in {self.where}"


def with_absent():
    from helpers.plugins import component, plugin

    return Catalog.of({"fakes": fakes, "mine": plugin(component("absent", f"{__name__}:Absent", "dataset"))})


def test_missing_data_are_no_error_of_the_recipe_but_of_a_run():
    catalog = with_absent()
    changes = ["data.train={use: absent}", "data.test={use: absent}", "data.more={use: absent, where: bug}"]
    changes.append("evaluate=[{use: spread, data: test}, {use: spread, data: more}]")
    changes.append("data.spare={use: absent, where: nowhere}")  # nothing uses it, so it need not be there
    load_text(fakes.RECIPE, changes, catalog, file="f")
    with pytest.raises(RecipeErrors) as caught:
        load_text(fakes.RECIPE, changes, catalog, file="f", need_data=True)
    assert [str(problem) for problem in caught.value.problems] == [
        "override 'data.train={use: absent}'  data.train: nothing in x (so for data.test)",
        "override 'data.more={use: absent, where: bug}'  data.more: its `missing` fails, "
        "which is for the plugin's author to mend: ZeroDivisionError: oh",
    ]


def test_missing_data_come_together_with_all_other_errors():
    found = problems("data.train={use: absent}", "seed=x", catalog=with_absent(), need_data=True)
    assert len(found) == 2
    assert "data.train: nothing in x" in found
