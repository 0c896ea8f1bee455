"""Every recipe that comes along trains two steps on data made on the spot, and so does each overlay.

That each validates is tested with the verb, in plugins/rankhub_train/test_validate.py.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers import counting_layouts, scored_layouts
from helpers.commands import call
from helpers.papers import fault
from helpers.recipes import shipped_names, shipped_text
from PIL import Image

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.load import load_recipe
from rankhub.recipe.shipped import shipped

RECIPES = shipped_names()
SCORED = ("live", "tid2013", "kadid10k", "koniq10k", "scored_csv")
FEW = ("shanghaitech", "ucf_qnrf")
"""Data sets whose tiny layout has two or three images to train on."""
COUNTED = ("ucf_cc_50", "ucf_qnrf", "points")
OVERLAID = [
    ("s2r2_stl10", "stl10_64px"),
    ("dino_stl10", "stl10_64px"),
    ("rankiqa_live", "small_backbone"),
    ("shanghaitech_a", "small_backbone_stride16"),
]
SMALL = {
    "random_crops": {"size": 32},
    "scaled_crops": {"size": 32, "smallest": 16, "largest": 40},
    "nested_crops": {"size": 32, "smallest": 8},
}
"""Options of generators that suit tiny images."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Tiny data in the layouts that the recipes read."""
    root = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    stl10 = root / "stl10_binary"
    stl10.mkdir()
    for split, count in (("train", 20), ("test", 20), ("unlabeled", 40)):
        generator.integers(0, 256, (count, 3, 96, 96), np.uint8).tofile(stl10 / f"{split}_X.bin")
        if split != "unlabeled":
            (np.arange(count, dtype=np.uint8) % 10 + 1).tofile(stl10 / f"{split}_y.bin")
    (stl10 / "class_names.txt").write_text("\n".join(f"class{n}" for n in range(10)) + "\n")
    (stl10 / "fold_indices.txt").write_text("\n".join(" ".join(map(str, range(10))) for _ in range(10)) + "\n")
    for folder, classes in (("photos", 3), ("photos/val", 3), ("coco/train2017", 0), ("coco/val2017", 0)):
        for number in range(60):
            target = root / folder / (f"class{number % classes}" if classes else "")
            target.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (70 + number % 9, 90, 3), np.uint8)
            Image.fromarray(pixels).save(target / f"{number:012d}.jpg")
    for name in SCORED:
        getattr(scored_layouts, name)(root / name)
    for name in COUNTED:
        getattr(counting_layouts, name)(root / name)
    for subset in "AB":
        counting_layouts.shanghaitech(root / "shanghaitech", f"part_{subset}_final")
    return root


def shrink(recipe, data):
    """Overrides that make a recipe small: two steps, few images, the smallest network."""
    given = load_recipe(recipe, [], Catalog.discover()).recipe
    changes = ["backbone.model=test_resnet", "evaluate_every_epochs=null", "loader.workers=0"]
    folders = {"stl10": data, "image_folder": data / "photos", "coco": data / "coco"}
    folders |= {name: data / name for name in (*SCORED, *COUNTED, "shanghaitech")}
    if given.backbone.options.get("pretrained"):
        changes.append("backbone.pretrained=false")
    if bare(given.predict.use) == "crops":
        changes += ["predict.size=32", "predict.count=2"]
    roots = {name: folders.get(bare(spec.use)) for name, spec in given.data.items()}
    changes += [f"data.{name}.root={root}" for name, root in roots.items() if root is not None]
    changes += [f"evaluate.{number}.grid=[1.0]" for number, spec in enumerate(given.evaluate) if "grid" in spec.options]
    changes += [f"phases.{phase.name}.steps=2" for phase in given.phases]
    for phase in given.phases:
        changes += [f"phases.{phase.name}.streams.{name}.batch_size=null" for name in phase.streams]
    for name, stream in given.streams.items():
        most = 2 if bare(given.data[stream.data].use) in FEW else 8
        changes.append(f"streams.{name}.batch_size={min(most, stream.batch_size)}")
        for step in map(bare, (step.use for step in stream.generator)):
            at = f"streams.{name}.generator.{step}"
            changes += [f"{at}.{option}={value}" for option, value in SMALL.get(step, {}).items()]
    return changes


def bare(use):
    """A component's name without its plugin's."""
    return use.rpartition("/")[2]


@pytest.mark.parametrize(("recipe", "overlay"), [*((recipe, None) for recipe in RECIPES), *OVERLAID])
def test_runs_two_steps(recipe, overlay, data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(data))  # where caches go
    for attribute, value in scored_layouts.SIZES.items():
        monkeypatch.setattr(attribute, value)
    laid_over = [] if overlay is None else ["--overlay", overlay]
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
