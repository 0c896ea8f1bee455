"""a.b.c=value."""

from __future__ import annotations

import pytest
from helpers import fakes
from hypothesis import given
from hypothesis import strategies as st

from rankhub.recipe.overrides import apply_overrides
from rankhub.recipe.phases import write_out
from rankhub.recipe.reader import read_yaml, write_yaml


def override(*overrides, text=fakes.RECIPE):
    document = read_yaml(text, "file.yaml")
    return document, [str(problem) for problem in apply_overrides(document, overrides)]


@pytest.mark.parametrize(
    ("change", "steps", "value"),
    [
        ("seed=3", ("seed",), 3),
        ("optimizer.lr=1e-3", ("optimizer", "lr"), 0.001),
        ("data.train.root=a/b=c", ("data", "train", "root"), "a/b=c"),
        ("data.train={use: patches}", ("data", "train"), {"use": "patches"}),
        ("data.new={use: patches}", ("data", "new"), {"use": "patches"}),
        ("phases.0.epochs=7", ("phases", 0, "epochs"), 7),
        ("phases.0.epochs=", ("phases", 0, "epochs"), None),
        (
            "streams.views.objectives.0.strength=2",
            ("streams", "views", "objectives", 0, "strength"),
            2,
        ),
        ("average.decay=0.9", ("average", "decay"), 0.9),
        ("backbone.args.depth.n=3", ("backbone", "args", "depth", "n"), 3),
        ('phases.0.lr_scale={"backbone.*": 0.1}', ("phases", 0, "lr_scale", "backbone.*"), 0.1),
        ("description='a: b # c'", ("description",), "a: b # c"),
    ],
)
def test_sets_a_value_and_stands_at_the_override(change, steps, value):
    document, problems = override(change)
    assert problems == []
    here = document.data
    for segment in steps:
        here = here[segment]
    assert here == value
    assert str(document.location(steps)) == f"override {change!r}"


def test_what_is_made_on_the_way_stands_at_the_override_too():
    document, _ = override("average.use_for=[teacher]")
    assert str(document.location(("average", "decay"))) == "override 'average.use_for=[teacher]'"


def test_a_replaced_mapping_forgets_the_lines_inside_it():
    document, _ = override("data.train={use: patches}")
    assert str(document.location(("data", "train", "count"))) == "override 'data.train={use: patches}'"
    assert str(document.location(("data", "test", "count"))) == "file.yaml:5"


def test_a_star_means_every_entry():
    document, problems = override("data.*.count=3", "streams.*.batch_size=2")
    assert problems == []
    assert [entry["count"] for entry in document.data["data"].values()] == [3, 3]
    assert document.data["streams"]["views"]["batch_size"] == 2


def test_the_last_of_two_wins():
    document, _ = override("seed=1", "seed=2")
    assert document.data["seed"] == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seed", "this is no override; expected the form a.b.c=value"),
        ("=3", "this is no override; expected the form a.b.c=value"),
        ("a..b=3", "this is no override; expected the form a.b.c=value"),
        ("seed=[1", "the value this is not YAML: a `[` is not closed, or a comma is missing"),
        ("optimzer.lr=3", "optimzer: a recipe has no 'optimzer'; did you mean 'optimizer'?"),
        ("data.trian.count=3", "data.trian: data has no 'trian'; did you mean 'train'?"),
        ("phases.0.strems.views.data=x", "phases.0.strems: phases.0 has no 'strems'; did you mean 'streams'?"),
        ("phases.1.epochs=3", "phases: phases is a list, '1' is no item of it; it has 0 to 0"),
        (
            "phases.frist.epochs=3",
            "phases: phases is a list, 'frist' is no item of it; it has first; did you mean 'first'?",
        ),
        ("seed.x=3", "seed: seed is no mapping, so it has no 'x'"),
        ("name.x.y=3", "name: name is no mapping, so it has no 'x'"),
        ("callbacks.0.use=x", "callbacks: callbacks is a list, '0' is no item of it; it is empty"),
        ("callbacks.*.use=x", "there is nothing that its `*` could mean"),
    ],
)
def test_what_cannot_be_applied(change, said):
    document, problems = override(change, text="seed: 0\ncallbacks: []\n" + fakes.RECIPE)
    untouched = read_yaml("seed: 0\ncallbacks: []\n" + fakes.RECIPE, "")
    assert problems == [f"override {change!r}  {said}"]
    assert [write_out(document), write_out(untouched)] == [[], []]
    assert document.data == untouched.data


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text("abc:#-'{}[]=. ", max_size=8), st.lists))
def test_any_value_can_be_given(value):
    document, problems = override(f"description={write_yaml(value)}")
    assert problems == []
    assert document.data["description"] == value
