"""Loading, and what is written beside a run."""

from __future__ import annotations

import pytest
import yaml
from helpers import fakes
from helpers.recipes import load_text
from hypothesis import given, settings
from hypothesis import strategies as st

import rankhub_recipes
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.errors import UserError
from rankhub.recipe import shipped
from rankhub.recipe.load import load_recipe
from rankhub.recipe.report import RecipeErrors
from rankhub.recipe.schema import matching

CATALOG = Catalog.of({"fakes": fakes, "rankhub_recipes": rankhub_recipes})
LIKE = fakes.RECIPE.replace("test: {use: patches, count: 10}", "test: {like: train, count: 10}")
CHANGES = st.lists(
    st.sampled_from(
        [
            "optimizer.lr={use: ramp, start: 1e-3}",
            "average.decay={use: ramp, start: 0.9, end: 1e9}",
            "streams.views.objectives.0.weight=0.5",
            "streams.views.objectives.0.weight={use: fakes/ramp}",
            "phases.0.optimizer={use: descent}",
            "phases.0.epochs=7",
            "phases.0.lr_scale={'*.bias': 0.5}",
            "callbacks=[{use: stopper}]",
            "evaluate=[{use: spread, data: train, optional: true}]",
            "description='1e-3'",
            "seed=9223372036854775807",
            "name=other",
            "data.train.labeled=false",
            "checkpoint.every_epochs=null",
        ]
    ),
    unique=True,
)


def test_every_default_is_written_out():
    loaded = load_text(LIKE, ["optimizer.momentum={use: ramp}"], CATALOG)
    resolved = loaded.resolved()
    assert resolved["data"] == {
        "train": {"use": "fakes/patches", "count": 24, "side": 8, "labeled": True},
        "test": {"use": "fakes/patches", "count": 10, "side": 8, "labeled": True},
    }
    assert resolved["optimizer"] == {
        "use": "fakes/descent",
        "lr": 0.05,
        "momentum": {"use": "fakes/ramp", "start": 1.0, "end": 0.5},
    }
    assert resolved["evaluate"] == [
        {"use": "fakes/spread", "optional": False, "during_training": True, "data": "test", "labeled": False}
    ]
    assert resolved["seed"] == 0
    assert loaded.text == LIKE


@given(CHANGES, st.sampled_from([fakes.RECIPE, LIKE]))
@settings(max_examples=15, deadline=None)
def test_the_resolved_recipe_loads_to_itself(changes, text):
    loaded = load_text(text, changes, CATALOG, file="any.yaml")
    again = load_text(loaded.resolved_text(), [], CATALOG, file="recipe.resolved.yaml")
    assert again.recipe == loaded.recipe
    assert again.resolved() == loaded.resolved()
    assert again.name == loaded.name


@given(CHANGES)
@settings(max_examples=10, deadline=None)
def test_overrides_are_the_same_as_writing_them_into_the_file(changes):
    loaded = load_text(fakes.RECIPE, changes, CATALOG)
    assert load_text(loaded.resolved_text(), changes, CATALOG).recipe == loaded.recipe


def test_every_yaml_reader_reads_the_resolved_recipe():
    loaded = load_text(fakes.RECIPE, ["optimizer.lr=1e-7"], CATALOG)
    assert yaml.safe_load(loaded.resolved_text()) == loaded.resolved()


@pytest.mark.parametrize(
    ("file", "name"),
    [("recipes/my run.yaml", "my_run"), ("x.yml", "x"), ("_.yaml", "recipe"), ("a.b.yaml", "a.b")],
)
def test_without_a_name_the_file_s_name_is_taken(file, name):
    text = fakes.RECIPE.replace("name: fake\n", "")
    assert load_text(text, [], CATALOG, file=file).name == name
    assert load_text(fakes.RECIPE, [], CATALOG, file=file).name == "fake"


def test_from_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(fakes.RECIPE.replace("lr: 0.05", "lr: x"), encoding="utf-8-sig")
    with pytest.raises(RecipeErrors) as caught:
        load_recipe("mine.yaml", [], CATALOG)
    assert '\n  mine.yaml:9  optimizer.lr: got "x"' in str(caught.value)
    loaded = load_recipe(tmp_path / "mine.yaml", ["optimizer.lr=1"], CATALOG)
    assert loaded.path == tmp_path / "mine.yaml"
    assert loaded.document.file == "mine.yaml"
    assert loaded.recipe.optimizer == ComponentSpec(use="fakes/descent", lr=1.0, momentum=0.9)


def test_a_recipe_that_comes_along():
    assert {"quickstart", "s2r2_stl10", "s2r2_folder"} <= set(shipped.names(CATALOG))
    found = shipped.find("quickstart", CATALOG)
    assert found.path == shipped.shipped(CATALOG, "quickstart").path
    assert found.text == found.path.read_text()


def test_neither_file_nor_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("")

    def said(source):
        with pytest.raises(UserError) as caught:
            shipped.find(source, CATALOG)
        return str(caught.value)

    assert said("quikstart") == "no recipe that comes along is called 'quikstart'; did you mean 'quickstart'?"
    assert said("mnie.yaml") == f"there is no recipe at {tmp_path}/mnie.yaml; did you mean 'mine.yaml'?"
    assert said("nowhere/quikstart.yaml").startswith(
        f"there is no recipe at {tmp_path}/nowhere/quikstart.yaml; did you"
    )
    (tmp_path / "folder").mkdir()
    assert said("folder").startswith("folder is a folder; expected a recipe's file")
    assert "those that come along are called" in said("nowhere/zzzzz.yaml")


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(UserError, match="is not UTF-8 text \\(byte 6\\)"):
        shipped.find(tmp_path / "x.yaml", CATALOG)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("backbone.*", ["backbone.a.w", "backbone.b"]),
        ("backbone", ["backbone.a.w", "backbone.b"]),
        ("backbone.a", ["backbone.a.w"]),
        ("*.w", ["backbone.a.w", "heads.m.w"]),
        ("heads.[mn].w", ["heads.m.w"]),
        ("back", []),
    ],
)
def test_patterns(pattern, found):
    assert matching(["backbone.a.w", "backbone.b", "heads.m.w"], pattern) == found
