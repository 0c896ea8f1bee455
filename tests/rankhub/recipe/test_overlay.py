"""Overlays."""

from __future__ import annotations

import pytest
from helpers import fakes
from helpers.recipes import load_text

from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.errors import UserError
from rankhub.recipe.report import RecipeErrors

CATALOG = Catalog.of({"fakes": fakes})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text, *overrides, recipe=fakes.RECIPE):
    with open("o.yaml", "w") as file:
        file.write(text)
    return load_text(recipe, overrides, CATALOG, file="file.yaml", overlays=["o.yaml"])


def said(text, *overrides, **options):
    with pytest.raises(RecipeErrors) as caught:
        load(text, *overrides, **options)
    return str(caught.value).splitlines()


def test_changes_what_its_paths_name_from_top_to_bottom():
    text = """\
# Another protocol
streams.*.batch_size: 4
optimizer: {use: descent, lr: 0.5}
optimizer.momentum: 0.1
average.decay: 0.9
data.test:
  use: patches
  count: 7
"""
    loaded = load(text)
    assert loaded.recipe.streams["views"].batch_size == 4
    assert loaded.recipe.optimizer.options == {"lr": 0.5, "momentum": 0.1}
    assert loaded.recipe.average.decay == 0.9
    assert loaded.recipe.data["test"].options["count"] == 7


def test_overrides_come_after_it():
    assert load("seed: 5\n", "seed=6").recipe.seed == 6


def test_several_are_applied_one_after_the_other(here):
    (here / "a.yaml").write_text("seed: 1\noptimizer.lr: 0.5\n")
    (here / "b.yaml").write_text("seed: 2\n")
    loaded = load_text(fakes.RECIPE, ["device=cpu"], CATALOG, overlays=["a.yaml", "b.yaml"])
    assert (loaded.recipe.seed, loaded.recipe.optimizer.options["lr"]) == (2, 0.5)
    assert loaded.changes == ("--overlay=a.yaml", "--overlay=b.yaml", "device=cpu")


def test_it_is_kept_beside_a_run():
    text = load("seed: 5  # why\n").text
    assert text.startswith(fakes.RECIPE)
    assert text.endswith("# ---- changed by the overlay o.yaml:\n#   seed: 5  # why\n")


def test_it_may_change_what_is_extended(here):
    (here / "base.yaml").write_text(fakes.RECIPE)
    assert load("optimizer.lr: 0.5\n", recipe="extends: base.yaml\n").recipe.optimizer.options["lr"] == 0.5


def test_what_is_wrong_stands_in_its_lines():
    text = """\
seed: -1
optimzer.lr: 3
a..b: 3
callbacks.*.use: x
data.test:
  use: patches
  count: x
"""
    assert said(text, "seed.x=1", recipe=fakes.RECIPE + "callbacks: []\n") == [
        "file.yaml cannot be used:",
        "  o.yaml:1  seed: got -1; expected a whole number of at least 0 and below 9.22337e+18",
        "  o.yaml:2  optimzer: a recipe has no 'optimzer'; did you mean 'optimizer'?",
        "  o.yaml:3  this is no path in a recipe; expected the form a.b.c",
        "  o.yaml:4  there is nothing that its `*` could mean",
        '  o.yaml:7  data.test.count: got "x"; expected a whole number of at least 1 [fakes]',
        "  override 'seed.x=1'  seed: seed is no mapping, so it has no 'x'",
        "6 errors in file.yaml",
    ]


@pytest.mark.parametrize(("text", "line"), [("", 1), ("- seed: 3\n", 1), ("3", 1)])
def test_an_overlay_that_is_none(text, line):
    (lead,) = [row for row in said(text) if row.startswith("  o.yaml")]
    assert lead.startswith(f"  o.yaml:{line}  ")
    assert lead.endswith(
        "expected a mapping from paths in a recipe, such as optimizer.lr or phases.*.epochs, to values"
    )


def test_an_overlay_that_is_nowhere(here):
    (here / "mine.yaml").write_text("seed: 1")
    with pytest.raises(UserError, match=r"there is no overlay at .*/mien\.yaml; did you mean 'mine.yaml'"):
        load_text(fakes.RECIPE, [], CATALOG, overlays=["mien.yaml"])
    with pytest.raises(UserError, match="no overlay that comes along is called 'zzz'"):
        load_text(fakes.RECIPE, [], CATALOG, overlays=["zzz"])
