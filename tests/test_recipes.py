"""Every recipe that comes along validates, and trains two steps on data made on the spot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import rankhub_recipes

RECIPES = sorted(Path(rankhub_recipes.__file__).parent.glob("*.yaml"))


def rankhub(*arguments, cwd):
    """The command line as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "rankhub", *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False
    )


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
    photos = root / "photos"
    for number in range(60):
        place = photos / f"class{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (70 + number % 9, 90, 3), np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return root


def shrink(path, data):
    """Overrides that make a recipe small: two steps, few images, the smallest network."""
    recipe = yaml.safe_load(path.read_text())
    changes = ["backbone.model=test_resnet", "evaluate_every_epochs=null"]
    for name, spec in recipe["data"].items():
        if spec.get("use") == "stl10":
            changes.append(f"data.{name}.root={data}")
        if spec.get("use") == "image_folder":
            changes.append(f"data.{name}.root={data / 'photos'}")
    for number, phase in enumerate(recipe["phases"]):
        changes += [f"phases.{number}.steps=2", f"phases.{number}.epochs=null"]
        changes += [f"phases.{number}.streams.{stream}.batch_size=8" for stream in phase["streams"]]
    return changes


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_validates(path, tmp_path):
    done = rankhub("validate", path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_runs_two_steps(path, data, tmp_path):
    done = rankhub("run", path.stem, *shrink(path, data), "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert (tmp_path / "run" / "results.csv").exists()
    assert "after training" in done.stdout


def test_each_recipe_says_what_it_is_for():
    for path in RECIPES:
        assert path.read_text().startswith("# "), path
        assert yaml.safe_load(path.read_text())["description"], path
