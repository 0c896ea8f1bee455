"""`extends`: what is merged, what is replaced, and where what is wrong with it is said to be."""

from __future__ import annotations

import pytest
import yaml
from helpers import fakes
from helpers.recipes import load_text
from hypothesis import given, settings
from hypothesis import strategies as st

import rankhub_recipes
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.errors import UserError
from rankhub.recipe.extends import expand_extends
from rankhub.recipe.load import load_recipe
from rankhub.recipe.reader import read_yaml, write_yaml
from rankhub.recipe.report import RecipeErrors
from rankhub.recipe.shipped import Source

CATALOG = Catalog.of({"fakes": fakes, "rankhub_recipes": rankhub_recipes})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(fakes.RECIPE)
    return tmp_path


def load(here, text, *overrides, **options):
    (here / "mine.yaml").write_text(text)
    return load_recipe("mine.yaml", overrides, CATALOG, **options)


def said(here, text, *overrides, **options):
    with pytest.raises(RecipeErrors) as caught:
        load(here, text, *overrides, **options)
    return str(caught.value).splitlines()


def merged(base, own):
    """The data of ``own`` over ``base``."""
    with open("other.yaml", "w") as file:
        file.write(write_yaml(base))
    document = read_yaml(write_yaml({**own, "extends": "other.yaml"}), "mine.yaml")
    assert expand_extends(document, Source("", "mine.yaml"), CATALOG).file == "other.yaml"
    return document.data


def test_with_nothing_of_its_own_it_is_what_it_extends(here):
    loaded = load(here, "extends: base.yaml\n")
    base = load_recipe("base.yaml", [], CATALOG)
    assert (loaded.name, base.name) == ("mine", "fake")
    assert {**loaded.resolved(), "name": "fake"} == {**base.resolved(), "description": ""}
    assert "extends" not in loaded.resolved()


def test_places_of_what_is_replaced_are_forgotten(here):
    (here / "other.yaml").write_text("phases:\n- name: a\n  epochs: 1\n  streams: [x]\n")
    for own in ["steps: 3\n", "phases: [{name: a, steps: 3}]\n"]:
        document = read_yaml(f"extends: other.yaml\n{own}", "mine.yaml")
        expand_extends(document, Source("", "mine.yaml"), CATALOG)
        assert str(document.location(("phases", 0, "epochs"))).startswith("mine.yaml:")
    assert str(document.location(("phases", 0, "streams"))) == "other.yaml:4"


def test_name_and_description_are_its_own():
    assert merged({"name": "a", "description": "b", "seed": 1}, {}) == {"seed": 1}
    assert merged({"name": "a"}, {"name": "c"}) == {"name": "c"}


@pytest.mark.parametrize(
    ("base", "own", "outcome"),
    [
        ({"seed": 1, "device": "cpu"}, {"seed": 2}, {"seed": 2, "device": "cpu"}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3}}}, {"a": {"b": {"c": 3, "d": 2}}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [{"use": "x", "k": 1}]}, {"a": [{"use": "x"}]}, {"a": [{"use": "x"}]}),
        ({"a": [{"name": "x"}]}, {"a": []}, {"a": []}),
        ({"a": {"use": "x", "k": 1}}, {"a": {"use": "y"}}, {"a": {"use": "y"}}),
        ({"a": {"use": "x", "k": 1}}, {"a": {"use": "x", "l": 2}}, {"a": {"use": "x", "k": 1, "l": 2}}),
        ({"a": {"use": "x", "k": 1}}, {"a": {"l": 2}}, {"a": {"use": "x", "k": 1, "l": 2}}),
        ({"a": {"use": "x", "k": 1}}, {"a": {"like": "b"}}, {"a": {"like": "b"}}),
        ({"a": {"like": "b", "k": 1}}, {"a": {"use": "x"}}, {"a": {"use": "x"}}),
        ({"a": {"like": "b", "k": 1}}, {"a": {"l": 2}}, {"a": {"like": "b", "k": 1, "l": 2}}),
        (
            {"a": {"use": "x", "lr": {"use": "cosine", "start": 1}}},
            {"a": {"lr": {"use": "step"}}},
            {"a": {"use": "x", "lr": {"use": "step"}}},
        ),
        (
            {"phases": [{"name": "a", "epochs": 1}, {"name": "b", "epochs": 2}]},
            {"phases": [{"name": "c", "epochs": 3}, {"name": "b", "epochs": 4, "mix": "joint"}]},
            {
                "phases": [
                    {"name": "a", "epochs": 1},
                    {"name": "b", "epochs": 4, "mix": "joint"},
                    {"name": "c", "epochs": 3},
                ]
            },
        ),
        (
            {"phases": [{"name": "a", "epochs": 1}]},
            {"phases": [{"name": "a", "epochs": 2}, {"name": "a", "epochs": 3}]},
            {"phases": [{"name": "a", "epochs": 2}, {"name": "a", "epochs": 3}]},
        ),
    ],
)
def test_what_is_merged_and_what_is_replaced(base, own, outcome):
    assert merged(base, own) == outcome


KEYS = st.sampled_from(["use", "like", "name", "a", "b"])
VALUES = st.recursive(
    st.sampled_from(["x", "y", 1, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
RECIPES = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)


@given(RECIPES, RECIPES)
@settings(deadline=None)
def test_laws(base, own):
    assert merged(base, {}) == base
    assert merged({}, own) == own
    assert merged(base, base) == base
    both = merged(base, own)
    assert merged(base, both) == both
    assert merged(both, own) == both


def line_of(part):
    return 1 + fakes.RECIPE[: fakes.RECIPE.index(part)].count("\n")


def test_what_is_wrong_stands_in_its_own_file(here):
    (here / "base.yaml").write_text(fakes.RECIPE.replace("lr: 0.05", "lr: x").replace("batch_size: 6", "batch_size: 0"))
    lr, size = line_of("lr: 0.05"), line_of("batch_size: 6")
    assert said(here, "extends: base.yaml\nsede: 1\nseed: -1\n") == [
        "mine.yaml cannot be used:",
        "  mine.yaml:2  sede: unknown key 'sede'; did you mean 'seed'?",
        "  mine.yaml:3  seed: got -1; expected a whole number of at least 0 and below 9.22337e+18",
        f'  base.yaml:{lr}  optimizer.lr: got "x"; expected a number above 0 or a schedule, {{use: NAME, ...}} '
        "(write {use: x}) [fakes]",
        f"  base.yaml:{size}  streams.views.batch_size: got 0; expected a whole number of at least 1",
        "4 errors in mine.yaml",
    ]


def test_lines_follow_phases_that_move(here):
    text = "extends: base.yaml\nphases:\n- name: second\n  epochs: x\n  streams: {}\n- name: train\n  epochs: y\n"
    name = yaml.safe_load(fakes.RECIPE)["phases"][0]["name"]
    lines = said(here, text.replace("train", name))
    assert any(line.startswith("  mine.yaml:4  phases.1.epochs: ") for line in lines)
    assert any(line.startswith("  mine.yaml:7  phases.0.epochs: ") for line in lines)


def test_a_part_that_lacks_something_stands_where_it_is_extended(here):
    (here / "base.yaml").write_text("seed: 3\n")
    assert "  mine.yaml:1  data: missing; expected a mapping of at least 1" in said(here, "extends: base.yaml\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed: 1\nextends: 3\n", "2  extends: got 3; expected the name of a recipe or block that comes along"),
        ("extends:\n", "1  extends: got null; expected the name of a recipe or block"),
        ("extends: quickstrat\n", "1  extends: no block or recipe that comes along is called 'quickstrat'; did"),
        ("extends: base\n", "1  extends: no block or recipe that comes along is called 'base'"),
        ("extends: bass.yaml\n", "1  extends: there is no block or recipe at H/bass.yaml; did you mean 'base.yaml'?"),
        ("extends: ./mine.yaml\n", "1  extends: a recipe cannot extend itself"),
        (
            "extends: middle.yaml\n",
            '1  extends: middle.yaml extends "base.yaml" itself, and a recipe that is extended may not; write what is '
            "needed of it into one of the two",
        ),
    ],
)
def test_what_cannot_be_extended(here, text, line):
    (here / "middle.yaml").write_text("extends: base.yaml\n")
    lines = said(here, text)
    assert lines[1].replace(str(here), "H").startswith(f"  mine.yaml:{line}")
    assert lines[2:] == ["1 error in mine.yaml"]


def test_what_is_extended_is_no_yaml(here):
    (here / "base.yaml").write_text("a: 1\na: 2\n")
    assert said(here, "extends: base.yaml\n")[1] == ("  base.yaml:2  a: the key 'a' stands here twice, first in line 1")


def test_a_path_starts_at_the_file_and_a_name_means_what_comes_along(here):
    (here / "deep").mkdir()
    (here / "deep" / "mine.yaml").write_text("extends: ../base.yaml\n")
    assert load_recipe("deep/mine.yaml", [], CATALOG).recipe.optimizer.use == "fakes/descent"
    (here / "quickstart").write_text("not: this")
    document = read_yaml("extends: quickstart", "f")
    source = expand_extends(document, Source("", "mine.yaml", here / "mine.yaml"), CATALOG)
    assert source.path.name == "quickstart.yaml"
    assert "name" not in document.data


def test_overrides_come_after_and_cannot_change_what_is_extended(here):
    loaded = load(here, "extends: base.yaml\nseed: 1\n", "optimizer.lr=0.5", "seed=2")
    assert (loaded.recipe.seed, loaded.recipe.optimizer.options["lr"]) == (2, 0.5)
    assert said(here, "extends: base.yaml\n", "extends=quickstart")[1] == (
        "  override 'extends=quickstart'  what a recipe extends is said in its file alone; write `extends:` there"
    )


def test_data_like_another_of_the_base(here):
    names = list(yaml.safe_load(fakes.RECIPE)["data"])
    loaded = load(here, f"extends: base.yaml\ndata:\n  more: {{like: {names[0]}, count: 3}}\n")
    assert loaded.recipe.data["more"].options["count"] == 3


def test_what_is_kept_beside_a_run_needs_no_other_file(here):
    loaded = load(here, "extends: base.yaml  # the protocol\nseed: 4\n")
    (here / "base.yaml").unlink()
    assert load_text(loaded.resolved_text(), [], CATALOG).recipe == loaded.recipe
    assert loaded.text.startswith("extends: base.yaml  # the protocol\nseed: 4\n")
    quoted = loaded.text.split("# ---- extends base.yaml, which says:\n")[1]
    assert "\n".join(line.removeprefix("#   ").removeprefix("#") for line in quoted.splitlines()) == (
        fakes.RECIPE.rstrip("\n")
    )
    assert read_yaml(loaded.text, "f").data == {"extends": "base.yaml", "seed": 4}


def test_a_recipe_that_is_nowhere_is_no_base(here):
    with pytest.raises(UserError, match="no recipe that comes along is called 'stl01'"):
        load_recipe("stl01", [], CATALOG)
