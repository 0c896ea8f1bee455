"""Every recipe that comes along trains two steps on data made on the spot, and so does each overlay.

That each validates is tested with the verb, in plugins/rankhub_train/test_validate.py.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from helpers.commands import call
from helpers.papers import fault
from helpers.recipes import shipped_names, shipped_text
from helpers.tiny_recipes import make_data, shrink, small_photos

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.load import load_recipe
from rankhub.recipe.shipped import shipped

RECIPES = shipped_names()
OVERLAID = [
    ("s2r2_stl10", "stl10_64px"),
    ("dino_stl10", "stl10_64px"),
    ("rankiqa_live", "small_backbone"),
    ("shanghaitech_a", "small_backbone_stride16"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Tiny data in the layouts that the recipes read."""
    root = tmp_path_factory.mktemp("data")
    make_data(root)
    return root


@pytest.mark.parametrize(("recipe", "overlay"), [*((recipe, None) for recipe in RECIPES), *OVERLAID])
def test_runs_two_steps(recipe, overlay, data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(data))  # where caches go
    laid_over = [] if overlay is None else ["--overlay", overlay]
    with small_photos():
        done = call(capsys, "run", recipe, *laid_over, *shrink(recipe, data), "--out", tmp_path / "run")
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "step" in line][:2] == [1, 2]
    assert (tmp_path / "run" / "results.csv").exists()
    assert "after training" in (tmp_path / "run" / "results.csv").read_text()
    if overlay is not None:
        assert f"--overlay={overlay}" in json.loads((tmp_path / "run" / "lock.json").read_text())["overrides"]
        assert f"overlays/{overlay}.yaml" in (tmp_path / "run" / "recipe.yaml").read_text()


def test_each_recipe_says_what_it_is_for():
    for name in RECIPES:
        text = shipped_text(name)
        assert text.startswith("# "), name
        assert yaml.safe_load(text)["description"], name
        assert yaml.safe_load(text)["name"] == name


def test_blocks_and_overlays_are_used_and_share_no_name_with_a_recipe():
    extended = {yaml.safe_load(shipped_text(name)).get("extends") for name in RECIPES}
    assert set(shipped_names("block")) <= extended
    # Two are laid over all that they are for in plugins/rankhub_timm/test_offline_backbone.py.
    others = {"offline_backbone", "frozen_backbone"}
    assert {overlay for _, overlay in OVERLAID} | others == set(shipped_names("overlay"))
    assert len({*RECIPES, *shipped_names("block")}) == len(RECIPES) + len(shipped_names("block"))
    for name in shipped_names("block", "overlay"):
        assert shipped_text(name, "block", "overlay").startswith("# ")


def test_the_recipes_on_stl10_differ_in_their_method_alone():
    """Data, network, optimizer and evaluation are the block's, and so are the pixels that pass the network."""
    catalog = Catalog.discover()
    recipes = {name: load_recipe(name, [], catalog).recipe for name in RECIPES if name.endswith("_stl10")}
    assert len(recipes) == 7
    first = recipes["s2r2_stl10"]
    for recipe in recipes.values():
        for part in ("data", "backbone", "optimizer", "predict", "evaluate", "evaluate_every_epochs", "precision"):
            assert getattr(recipe, part) == getattr(first, part)
        (phase,) = recipe.phases
        stream = recipe.streams["views"]
        assert (phase.name, stream.data, [o.head for o in stream.objectives]) == ("train", "photos", ["embedding"])
        (views,) = stream.generator
        sets = [views.options, *views.options["crops"]]
        pixels = sum(one["views"] * one["size"] ** 2 for one in sets) * phase.epochs
        assert pixels == pytest.approx(2 * 96**2 * 200, rel=0.01)


def test_they_are_shipped(repo):
    packed = tomllib.loads((repo / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    folder = shipped(Catalog.discover(), "quickstart").path.parent
    globbed = {path for pattern in packed["rankhub_recipes"] for path in folder.glob(pattern)}
    assert globbed == {path for path in folder.rglob("*") if path.suffix in (".yaml", ".md", ".png")}


@pytest.mark.parametrize("name", RECIPES)
def test_what_to_try_next_is_a_command_that_would_be_taken(name):
    for advice in load_recipe(name, (), Catalog.discover()).recipe.next_steps:
        _, _, command = advice.partition(": ")
        assert re.match(r"rankhub |rankhub\.load_run", command), advice
        words = command.removesuffix(" ...")
        assert not words.startswith("rankhub ") or fault(words, Path(__file__).parents[1]) is None, advice
