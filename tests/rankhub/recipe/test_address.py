"""What a dotted path means: positions, labels, stars, what an entry is like."""

from __future__ import annotations

import pytest
from helpers import fakes
from helpers.plugins import component, plugin
from helpers.recipes import SHORT, TWO, load_text, problems_of
from hypothesis import given
from hypothesis import strategies as st

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.address import labels_of, numbered

MINE = plugin(component("pull"), component("jitter", "helpers.fakes:Jitter", "generator"))
CATALOG = Catalog.of({"fakes": fakes, "mine": MINE})
KNNS = "evaluate=[{use: spread, data: photos}, {use: spread, data: scored}, {use: spread, data: photos}]"
TWINS = "streams.ranked.generator=[{use: fakes/jitter, views: 2}, {use: mine/jitter, views: 1}]"


def load(*overrides, text=None):
    return load_text(text or OWNED, overrides, CATALOG, file="f")


def sentences(*overrides, text=None):
    return [problem.partition("  ")[2] for problem in problems_of(text or OWNED, overrides, CATALOG)]


OWNED = TWO.replace("use: pull", "use: fakes/pull").replace("use: jitter", "use: fakes/jitter")
"""Two plugins give losses and generators of one name."""


def at(loaded, *steps):
    here = loaded.resolved()
    for segment in steps:
        here = here[segment]
    return here


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ("streams.ranked.generator.1.views=7", ("streams", "ranked", "generator", 1, "views")),
        ("streams.ranked.generator.jitter.views=7", ("streams", "ranked", "generator", 1, "views")),
        ("streams.ranked.generator.dimmer.levels=7", ("streams", "ranked", "generator", 0, "levels")),
        ("streams.ranked.objectives.pull.strength=7", ("streams", "ranked", "objectives", 0, "strength")),
        ("streams.ranked.objectives.pull.weight=7", ("streams", "ranked", "objectives", 0, "weight")),
        ("phases.ranking.steps=7", ("phases", 0, "steps")),
        ("phases.multitask.streams.ranked.batch_size=7", ("phases", 1, "streams", "ranked", "batch_size")),
        ("phases.1.streams.ranked.weight=7", ("phases", 1, "streams", "ranked", "weight")),
        ("phases.ranking.optimizer={use: descent, lr: 7}", ("phases", 0, "optimizer", "lr")),
        ("phases.ranking.lr_scale.backbone.*=7", ("phases", 0, "lr_scale", "backbone.*")),
        ("phases.ranking.lr_scale.*.weight=7", ("phases", 0, "lr_scale", "*.weight")),
        ("phases.ranking.lr_scale.backbone.conv.weight=7", ("phases", 0, "lr_scale", "backbone.conv.weight")),
    ],
)
def test_an_item_goes_by_its_position_or_its_label(change, steps):
    assert at(load(change), *steps) == 7


def test_evaluators_go_by_the_labels_under_which_they_are_reported():
    loaded = load(KNNS, "evaluate.spread_2.data=photos", "evaluate.spread_3.data=scored")
    assert [spec["data"] for spec in at(loaded, "evaluate")] == ["photos", "photos", "scored"]


def test_components_of_one_name_of_two_plugins_are_numbered():
    loaded = load(TWINS, "streams.ranked.generator.jitter.views=3", "streams.ranked.generator.jitter_2.views=4")
    assert [(step["use"], step["views"]) for step in at(loaded, "streams", "ranked", "generator")] == [
        ("fakes/jitter", 3),
        ("mine/jitter", 4),
    ]


def test_changes_apply_in_order_and_after_another_use_the_address_is_that():
    loss = "streams.ranked.objectives"
    loaded = load(f"{loss}.pull.use=fit", f"{loss}.fit.weight=3")
    assert at(loaded, "streams", "ranked", "objectives", 0, "weight") == 3
    (said,) = sentences(f"{loss}.pull.use=fit", f"{loss}.pull.weight=3")
    assert said == f"{loss}: {loss} is a list, 'pull' is no item of it; it has fit"
    assert (
        at(load(f"{loss}.pull.strength=3", f"{loss}.0.strength=4"), "streams", "ranked", "objectives", 0)["strength"]
        == 4
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "streams.ranked.generator.jiter.views",
            "streams.ranked.generator: streams.ranked.generator is a list, 'jiter' is no item of it; it has dimmer, "
            "jitter; did you mean 'jitter'?",
        ),
        ("streams.ranked.generator.2.views", "is a list, '2' is no item of it; it has 0 to 1"),
        ("streams.ranked.generator.-1.views", "is a list, '-1' is no item of it; it has dimmer, jitter"),
        (f"phases.{'9' * 5000}.steps", "is no item of it; it has 0 to 1"),
        ("phases.1_0.steps", "'1_0' is no item of it; it has ranking, multitask"),
        ("phases.²..steps", "this is no override; expected the form a.b.c=value"),
        ("phases.².steps", "'²' is no item of it"),
        ("phases.rankin.steps", "it has ranking, multitask; did you mean 'ranking'?"),
        ("evaluate.spread_2.data", "'spread_2' is no item of it; it has spread; did you mean 'spread'?"),
        ("streams.labeled.generator.jitter.views", "'jitter' is no item of it; it is empty"),
        ("callbacks.0.after", "callbacks is a list, '0' is no item of it; it is empty"),
        ("streams.rankd.batch_size", "streams.rankd: streams has no 'rankd'; did you mean 'ranked'?"),
        ("streams.ranked.genrator.0.views", "streams.ranked has no 'genrator'; did you mean 'generator'?"),
        ("streams.ranked.batch_size.x", "streams.ranked.batch_size is no mapping, so it has no 'x'"),
        ("phases.ranking.streams.labeled.batch_size", "phases.0.streams has no 'labeled'; expected ranked"),
    ],
)
def test_what_is_nowhere_is_one_sentence(path, said):
    (found,) = sentences(f"{path}=3")
    assert said in found


STARRED = TWO.replace("phases:", "  more: {like: ranked}\nphases:").replace("[ranked]", "[ranked, more]")
STARRED = STARRED.replace("use: pull", "use: fakes/pull").replace("use: jitter", "use: fakes/jitter")


def test_a_star_passes_over_places_without_the_item():
    loaded = load("streams.*.generator.jitter.views=5", "streams.*.objectives.fit.weight=9", text=STARRED)
    streams = at(loaded, "streams")
    assert [streams[name]["generator"][-1]["views"] for name in ("ranked", "more")] == [5, 5]
    assert streams["labeled"]["generator"] == []
    assert [streams[name]["objectives"][0]["weight"] for name in streams] == [1.0, 9, 1.0]


def test_a_star_reaches_copies_that_have_the_key_themselves():
    text = STARRED.replace("{like: ranked}", "{like: ranked, generator: [{use: fakes/jitter}]}")
    streams = at(load("streams.*.generator.jitter.views=5", text=text), "streams")
    assert [streams[name]["generator"][-1]["views"] for name in ("ranked", "more")] == [5, 5]


@pytest.mark.parametrize(
    "change",
    ["streams.*.generator.ditherer.views=5", "callbacks.*.after=3", "phases.*.seed.x=3"],
)
def test_one_place_must_match_a_star(change):
    (said,) = sentences(change)
    assert said == "there is nothing that its `*` could mean"


def test_several_stars():
    streams = at(load("streams.*.objectives.*.weight=2", "streams.*.*.jitter.views=3"), "streams")
    assert [objective["weight"] for stream in streams.values() for objective in stream["objectives"]] == [2, 2]
    assert streams["ranked"]["generator"][1]["views"] == 3


def test_in_a_short_recipe_the_phase_s_keys_are_addressed_as_in_a_long_one():
    short = SHORT.replace("use: pull", "use: fakes/pull").replace("use: jitter", "use: fakes/jitter")
    phase = at(load("lr_scale.backbone.*=0.5", "phases.train.freeze=[heads.main]", text=short), "phases", 0)
    assert (phase["lr_scale"], phase["freeze"]) == ({"backbone.*": 0.5}, ["heads.main"])


@given(st.lists(st.sampled_from(["knn", "knn_2", "knn_3", "knn_2_2", "x"])))
def test_labels_differ_and_the_first_of_a_name_is_that_name(names):
    labels = numbered(names)
    assert len(set(labels)) == len(labels) == len(names)
    for position, (name, label) in enumerate(zip(names, labels, strict=True)):
        assert label.startswith(name)
        if name not in names[:position]:
            assert label == name


def test_examples_of_labels():
    assert numbered(["knn", "knn", "probe", "knn"]) == ["knn", "knn_2", "probe", "knn_3"]
    assert numbered(["knn", "knn", "knn_2"]) == ["knn", "knn_3", "knn_2"]
    assert labels_of([{"use": "a/x"}, {"use": "b/x"}, 3, {"use": "x", "name": "y"}]) == ["x", "x_2", "", "x_3"]
    assert labels_of([{"name": "one"}, {"name": "one"}, {}]) == ["one", "one", ""]
    assert labels_of([]) == []
