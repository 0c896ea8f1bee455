"""One phase at the top of a recipe, and how `epochs`, `steps` and `phases` are one choice."""

from __future__ import annotations

import pytest
import yaml
from helpers import fakes
from helpers.recipes import SHORT, TWO, load_text, problems_of

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.load import load_recipe
from rankhub.recipe.report import RecipeErrors

CATALOG = Catalog.of({"fakes": fakes})
SEVERAL = "the recipe has 2 phases; say which one is meant: "


def load(*overrides, text=SHORT, file="any.yaml", **options):
    return load_text(text, overrides, CATALOG, file=file, **options)


def problems(*overrides, text=SHORT, **options):
    return problems_of(text, overrides, CATALOG, file="f", **options)


def sentences(*overrides, text=SHORT, **options):
    return [problem.partition("  ")[2] for problem in problems(*overrides, text=text, **options)]


def phases(loaded):
    return [(phase.name, phase.epochs, phase.steps, list(phase.streams)) for phase in loaded.recipe.phases]


def line(text, part):
    return 1 + text[: text.index(part)].count("\n")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def extended(here):
    """A recipe's phases, loaded as a file that extends another."""

    def load_child(child, base=TWO):
        (here / "base.yaml").write_text(base)
        (here / "child.yaml").write_text(f"extends: base.yaml\n{child}")
        return load_recipe("child.yaml", [], CATALOG)

    return load_child


@pytest.fixture
def overlaid(here):
    """A recipe with an overlay."""

    def load_under(overlay, text=TWO):
        (here / "o.yaml").write_text(overlay)
        return load(text=text, overlays=["o.yaml"])

    return load_under


def test_its_phase_is_called_train_whatever_the_file_and_has_all_streams():
    for file in ("any.yaml", "pretrain.yaml"):
        assert phases(load(file=file)) == [("train", 2, None, ["ranked", "labeled"])]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("mix: {alternate: 3}", {"alternate": 3}),
        ("clock: ranked", "ranked"),
        ("freeze: [backbone.*]", ["backbone.*"]),
        ("reset: [heads.main]", ["heads.main"]),
        ("lr_scale: {backbone: 0.1}", {"backbone": 0.1}),
        ("steps: 7", 7),
    ],
)
def test_every_key_of_the_short_form(line, value):
    key = line.partition(":")[0]
    replaced = (f"{key}:", *(["epochs:"] if key == "steps" else []))
    lines = [kept for kept in SHORT.splitlines() if not kept.startswith(replaced)]
    (phase,) = yaml.safe_load(load(text="\n".join([*lines, line])).resolved_text())["phases"]
    assert phase[key] == value


def test_it_is_the_long_form_written_shorter():
    long = SHORT.replace(
        "epochs: 2\nclock: labeled\n",
        "phases: [{name: train, streams: [ranked, labeled], epochs: 2, clock: labeled}]\n",
    )
    assert load().recipe == load(text=long).recipe


def test_it_may_stand_anywhere_in_the_file():
    moved = "clock: labeled\nepochs: 2\n" + SHORT.replace("epochs: 2\nclock: labeled\n", "")
    assert load(text=moved).recipe == load().recipe


def test_the_resolved_recipe_is_long_and_loads_to_itself():
    loaded = load()
    resolved = yaml.safe_load(loaded.resolved_text())
    assert not {"epochs", "steps", "mix", "clock", "freeze", "reset", "lr_scale"} & set(resolved)
    assert resolved["phases"][0]["name"] == "train"
    assert load(text=loaded.resolved_text()).resolved_text() == loaded.resolved_text()


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("epochs: 2", "epochs: 0", "epochs:", "epochs: got 0; expected a whole number of at least 1 or null"),
        ("epochs: 2", "epochs: two", "epochs:", 'epochs: got "two"; expected a whole number of at least 1 or null'),
        ("clock: labeled", "clock: labelled", "clock:", "clock: no stream is called 'labelled' in this phase; did you"),
        ("clock: labeled\n", "clock: labeled\nmix: jiont\n", "mix:", 'mix: got "jiont"; expected joint or a mapping'),
        (
            "clock: labeled\n",
            "clock: labeled\nfreeze: [bakbone]\n",
            "freeze:",
            "freeze.0: the pattern 'bakbone' matches no parameter of the network; did you mean 'backbone'?",
        ),
        (
            "clock: labeled\n",
            "clock: labeled\nlr_scale: {backbone: fast}\n",
            "lr_scale:",
            'lr_scale.backbone: got "fast"; expected a number of at least 0',
        ),
        (
            "clock: labeled\n",
            "",
            "epochs:",
            "epochs: a phase of several streams with `epochs` needs `clock: STREAM`, the stream whose epochs are",
        ),
        (
            "clock: labeled\n",
            "clock: labeled\nsteps: 3\n",
            "steps:",
            "steps: `epochs` and `steps` both say how long the phase is; keep one of them",
        ),
    ],
)
def test_errors_point_to_the_line_and_the_key_as_they_are_written(old, new, at, said):
    text = SHORT.replace(old, new)
    (found,) = problems(text=text)
    assert found.startswith(f"f:{line(text, at)}  {said}")


def test_without_a_length_that_is_said_and_nothing_else():
    assert sentences(text=SHORT.replace("epochs: 2\nclock: labeled\n", "")) == [
        "nothing says how long the phase is; expected `epochs: NUMBER` or `steps: NUMBER`"
    ]


@pytest.mark.parametrize("key", ["epochs: 2", "steps: 2", "mix: joint", "clock: ranked", "freeze: []", "lr_scale: {}"])
def test_beside_phases_such_a_key_is_said_to_belong_to_one_of_them(key):
    name = key.partition(":")[0]
    text = f"{TWO}{key}\n"
    assert problems(text=text) == [
        f"f:{text.count(chr(10))}  {name}: with `phases`, this is said of one of them: phases.NAME.{name}"
    ]


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        (["epochs=5"], (5, None)),
        (["steps=5"], (None, 5)),
        (["steps=5", "epochs=2"], (2, None)),
        (["epochs=2", "steps=5"], (None, 5)),
        (["phases.train.steps=5"], (None, 5)),
        (["phases.0.steps=5"], (None, 5)),
        (["phases.train.steps=5", "epochs=3"], (3, None)),
        (["phases.*.steps=5"], (None, 5)),
        (["epochs=null", "steps=5"], (None, 5)),
        (["phases.0.epochs=null", "phases.0.steps=5"], (None, 5)),
    ],
)
def test_an_override_sets_the_length_of_the_one_phase_and_keeps_its_other_keys(changes, length):
    (phase,) = load(*changes, text=SHORT + "lr_scale: {backbone: 0.1}\nfreeze: [heads.main.rate]\n").recipe.phases
    assert (phase.epochs, phase.steps) == length
    assert (phase.clock, phase.lr_scale, phase.freeze) == ("labeled", {"backbone": 0.1}, ["heads.main.rate"])


def test_an_override_of_a_recipe_that_lists_one_phase_means_that_phase():
    one = TWO.replace("- {name: ranking, streams: [ranked], steps: 3}\n", "")
    (phase,) = load("epochs=4", "clock=ranked", "freeze=[backbone]", text=one).recipe.phases
    assert (phase.name, phase.epochs, phase.steps, phase.clock) == ("multitask", 4, None, "ranked")
    assert (phase.freeze, phase.streams["ranked"].weight) == (["backbone"], 0.1)


@pytest.mark.parametrize("change", ["steps=5", "epochs=5", "lr_scale.backbone=0.1", "freeze=[backbone]", "mix=joint"])
def test_with_several_phases_it_is_refused_and_names_them(change):
    path = change.partition("=")[0]
    assert problems(change, text=TWO) == [
        f"override {change!r}  {SEVERAL}phases.ranking.{path} or phases.multitask.{path}"
    ]


def test_an_override_may_list_phases_in_place_of_the_one():
    loaded = load("phases=[{name: a, streams: [ranked], steps: 1}, {name: b, streams: [labeled], epochs: 1}]")
    assert phases(loaded) == [("a", None, 1, ["ranked"]), ("b", 1, None, ["labeled"])]


def test_a_stream_that_a_change_brings_is_of_the_one_phase_too():
    more = "streams.more={like: labeled}"
    assert phases(load(more)) == [("train", 2, None, ["ranked", "labeled", "more"])]


def test_a_phase_that_a_change_gives_streams_has_those():
    assert sentences("phases.train.streams=[ranked]", "clock=ranked") == [
        "streams.labeled: no phase uses this stream, and nothing else names it; name it in a phase, or take it out"
    ]


def test_what_the_one_phase_says_of_a_stream_stays_when_others_come():
    (phase,) = load("phases.train.streams.labeled.batch_size=2", "streams.more={like: labeled}").recipe.phases
    assert [(name, use.batch_size) for name, use in phase.streams.items()] == [
        ("ranked", None),
        ("labeled", 2),
        ("more", None),
    ]


@pytest.mark.parametrize(
    ("base", "child", "found"),
    [
        (TWO, "steps: 9\n", [("train", None, 9, ["ranked", "labeled"])]),
        (TWO, "epochs: 9\nclock: ranked\n", [("train", 9, None, ["ranked", "labeled"])]),
        (SHORT, "steps: 9\n", [("train", None, 9, ["ranked", "labeled"])]),
        (
            SHORT,
            "phases: [{name: a, streams: [ranked, labeled], steps: 1}]\n",
            [("a", None, 1, ["ranked", "labeled"])],
        ),
        (
            TWO,
            "phases: [{name: ranking, epochs: 1}]\n",
            [("ranking", 1, None, ["ranked"]), ("multitask", None, 4, ["labeled", "ranked"])],
        ),
        (
            TWO,
            "phases: [{name: ranking, streams: {ranked: {batch_size: 2}}}]\n",
            [("ranking", None, 3, ["ranked"]), ("multitask", None, 4, ["labeled", "ranked"])],
        ),
        (
            TWO,
            "phases: [{name: ranking, streams: {labeled: {weight: 2}}}]\n",
            [("ranking", None, 3, ["ranked", "labeled"]), ("multitask", None, 4, ["labeled", "ranked"])],
        ),
        (
            TWO,
            "phases: [{name: multitask, streams: [labeled]}]\n",
            [("ranking", None, 3, ["ranked"]), ("multitask", None, 4, ["labeled"])],
        ),
    ],
)
def test_a_child_that_says_how_long_replaces_what_the_base_says(extended, base, child, found):
    assert phases(extended(child, base)) == found


def test_a_child_that_lists_phases_takes_no_key_of_the_base_s_one(extended):
    base = SHORT + "lr_scale: {backbone: 0.1}\nfreeze: [heads.main.rate]\n"
    (phase,) = extended("phases: [{name: a, streams: [ranked, labeled], steps: 1}]\n", base).recipe.phases
    assert (phase.lr_scale, phase.freeze, phase.clock) == ({}, [], None)
    (phase,) = extended("steps: 5\n", base).recipe.phases
    assert (phase.steps, phase.epochs, phase.lr_scale, phase.freeze) == (
        5,
        None,
        {"backbone": 0.1},
        ["heads.main.rate"],
    )


def test_a_length_in_a_phase_s_own_schedule_is_no_length_of_the_phase(extended):
    base = TWO.replace("steps: 4}", "steps: 4, schedule: {use: ramp, start: 2}}")
    loaded = extended("phases: [{name: multitask, schedule: {end: 3}}]\n", base)
    assert loaded.recipe.phases[1].schedule.options == {"start": 2.0, "end": 3.0}


@pytest.mark.parametrize(
    ("overlay", "text", "found"),
    [
        ("steps: 9\n", TWO, [("train", None, 9, ["ranked", "labeled"])]),
        ("epochs: 9\nclock: ranked\n", TWO, [("train", 9, None, ["ranked", "labeled"])]),
        ("steps: 9\n", SHORT, [("train", None, 9, ["ranked", "labeled"])]),
        ("steps: 9\nepochs: 1\nclock: ranked\n", SHORT, [("train", 1, None, ["ranked", "labeled"])]),
        ("phases: [{name: a, streams: [ranked, labeled], steps: 1}]\n", SHORT, [("a", None, 1, ["ranked", "labeled"])]),
        ("phases.*.steps: 1\n", TWO, [("ranking", None, 1, ["ranked"]), ("multitask", None, 1, ["labeled", "ranked"])]),
    ],
)
def test_an_overlay_does_as_a_child_does(overlaid, overlay, text, found):
    assert phases(overlaid(overlay, text)) == found


def test_an_overlay_that_replaces_the_streams_of_a_short_recipe(overlaid):
    streams = "streams: {only: {data: scored, batch_size: 4, objectives: [{use: fit, head: main}]}}\n"
    loaded = overlaid(f"{streams}clock: only\n", SHORT)
    assert phases(loaded) == [("train", 2, None, ["only"])]


def test_an_overlay_may_not_say_of_several_phases_what_is_of_one(overlaid, here):
    (here / "o.yaml").write_text("lr_scale.backbone: 0.1\n")
    assert problems(text=TWO, overlays=["o.yaml"]) == [
        f"o.yaml:1  {SEVERAL}phases.ranking.lr_scale.backbone or phases.multitask.lr_scale.backbone"
    ]


def test_what_is_wrong_in_an_extended_short_recipe_stands_in_its_file(here):
    (here / "base.yaml").write_text(SHORT.replace("epochs: 2", "epochs: 0"))
    (here / "child.yaml").write_text("extends: base.yaml\nlr_scale: {backbone: -1}\n")
    with pytest.raises(RecipeErrors, match="2 errors in child") as caught:
        load_recipe("child.yaml", [], CATALOG)
    said = str(caught.value)
    assert f"base.yaml:{line(SHORT, 'epochs:')}  epochs: got 0" in said
    assert "child.yaml:2  lr_scale.backbone: got -1" in said
