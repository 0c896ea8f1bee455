"""A third party's plugin (`acme`), built as a wheel, installed into an environment of its own, and used.

It brings a verb, a recipe and a component of every kind, most of them under names that official components have.
"""

from __future__ import annotations

import ast
import csv
import json
import shutil
import site
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.commands import call_forked
from helpers.recipes import shipped_names
from PIL import Image

import rankhub as rankhub_here
from rankhub.catalog.catalog import Catalog

ACME = Path(__file__).parent / "acme"
RECIPE = "acme_stripes"


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The plugin's wheel, built without a network."""
    source = tmp_path_factory.mktemp("built") / "acme"
    shutil.copytree(ACME, source, ignore=shutil.ignore_patterns("__pycache__"))
    out = source / "dist"
    run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", out, source
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """The interpreter of an environment that holds the plugin and sees everything installed here."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    interpreter = folder / "bin" / "python"
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    # addsitedir also follows the .pth files there, by which an editable install is found.
    seen = [path for path in site.getsitepackages() if Path(path).is_dir()]
    lines = "".join(f"import site; site.addsitedir({path!r})\n" for path in seen)
    (packages / "see_the_outer_environment.pth").write_text(lines)
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", "-q", "--no-index", "--no-deps", wheel)
    return interpreter


@pytest.fixture(scope="module")
def rankhub(python):
    """Calls the command there."""

    def call(*arguments, cwd):
        return call_forked(*arguments, cwd=cwd, python=str(python))

    return call


@pytest.fixture(scope="module")
def trained(rankhub, tmp_path_factory) -> Path:
    """A folder with a run of the plugin's recipe, and photos."""
    folder = tmp_path_factory.mktemp("trained")
    called = rankhub("run", RECIPE, "--out", "run", cwd=folder)
    assert called.code == 0, called.err
    (folder / "photos").mkdir()
    for number in range(6):
        Image.fromarray(np.full((16, 16, 3), 40 * number, np.uint8)).save(folder / "photos" / f"{number}.png")
    return folder


def test_it_imports_what_any_plugin_may():
    """`rankhub`, `rankhub.interfaces` and the bases: the rule that import-linter holds the official plugins to."""
    contracts = tomllib.loads((ACME.parents[1] / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    _, _, *bases, _ = contracts[1]["layers"]
    for path in ACME.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            ours = [name for name in modules if name.partition(".")[0].startswith("rankhub")]
            others = [name for name in ours if name != "rankhub" and not name.startswith("rankhub.interfaces.")]
            assert {name.partition(".")[0] for name in others} <= set(bases), path


def test_it_is_listed_with_all_that_it_brings_and_only_there(rankhub, tmp_path):
    found = json.loads(rankhub("plugins", "list", "--json", cwd=tmp_path).out)
    assert found["broken"] == []
    (mine,) = [plugin for plugin in found["plugins"] if plugin["owner"] == "acme"]
    assert (mine["distribution"], mine["version"]) == ("acme-ranking", "2.3")
    assert sorted(component["kind"] for component in mine["components"]) == sorted(Catalog.discover().kinds)
    outside = json.loads(call_forked("plugins", "list", "--json", cwd=tmp_path).out)
    assert [plugin for plugin in found["plugins"] if plugin is not mine] == outside["plugins"]


def test_its_recipe_runs_with_its_own_component_of_every_kind(trained):
    resolved = yaml.safe_load((trained / "run" / "recipe.resolved.yaml").read_text())
    lines = [json.loads(line) for line in (trained / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "step" in line][:4] == [1, 2, 3, 4]
    assert json.loads((trained / "run" / "lock.json").read_text())["plugins"]["acme"] == "2.3"
    (stream,) = resolved["streams"].values()
    used = {
        "dataset": resolved["data"]["scored"],
        "generator": stream["generator"][0],
        "backbone": resolved["backbone"],
        "head": resolved["heads"]["quality"],
        "loss": stream["objectives"][0],
        "optimizer": resolved["optimizer"],
        "schedule": resolved["schedule"],
        "predict": resolved["predict"],
        "evaluator": resolved["evaluate"][0],
        "callback": resolved["callbacks"][0],
        "acquirer": resolved["acquire"],
    }
    assert list(used) == [name for name, kind in Catalog.discover().kinds.items() if kind.address]
    assert [spec["use"].partition("/")[0] for spec in used.values()] == ["acme"] * len(used)
    assert resolved["optimizer"]["lr"]["use"] == "acme/cosine"
    assert (trained / "run" / "diary.txt").read_text().split() == ["1", "2", "3", "4"]
    with (trained / "run" / "results.csv").open() as file:
        assert "knn" in file.read()


def test_an_index_lies_in_its_store_and_is_opened_by_it(rankhub, trained):
    made = rankhub("index", "run", "photos", "--out", "photos.index", "--store", "drawer", cwd=trained)
    assert made.code == 0, made.err
    assert json.loads((trained / "photos.index" / "store.json").read_text())["store"] == "acme/drawer"
    found = rankhub("search", "photos.index", "photos/2.png", "-k", "1", "--out", "found.csv", cwd=trained)
    assert found.code == 0, found.err
    with (trained / "found.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert "2.png" in str(row)


def test_its_verb_is_in_the_help_and_runs(rankhub, trained):
    shown = rankhub("--help", cwd=trained).out
    assert "rate" in shown
    assert "Say the score of each image of a folder." in shown
    assert "A run's folder." in rankhub("rate", "--help", cwd=trained).out
    called = rankhub("rate", "run", "photos", cwd=trained)
    assert called.code == 0, called.err
    lines = [line.split() for line in called.out.splitlines() if ".png" in line]
    assert [(path, unit) for path, _, unit in lines] == [(f"{number}.png", "brightness") for number in range(6)]
    predicted = rankhub("predict", "run", "photos", "--out", "scores.csv", cwd=trained)
    assert predicted.code == 0, predicted.err
    with (trained / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [round(float(row["stars"]), 3) for row in rows] == [float(score) for _, score, _ in lines]


def test_its_recipe_is_listed_and_its_addresses_lead_somewhere(rankhub, tmp_path):
    shown = rankhub("recipes", "list", cwd=tmp_path).out
    assert RECIPE in shown
    assert "Scores of stripes" in shown
    changed = rankhub("validate", RECIPE, "streams.views.objectives.mse.strength=3", "evaluate.knn.k=5", cwd=tmp_path)
    assert changed.code == 2
    assert "strength" not in changed.err
    assert "evaluate.0.k: " in changed.err


def test_its_acquirer_chooses_for_labeling(rankhub, trained):
    made = rankhub("label", "init", RECIPE, "--images", "photos", cwd=trained)
    assert made.code == 0, made.err
    chosen = rankhub("label", "next", "run", "--count", "2", "--no-copy", cwd=trained)
    assert chosen.code == 0, chosen.err
    assert "the highest come first" in chosen.out + chosen.err
    assert rankhub("predict", "run", "photos", "--out", "all.csv", cwd=trained).code == 0
    with (trained / "all.csv").open() as file:
        best = sorted(csv.DictReader(file), key=lambda row: -float(row["stars"]))[:2]
    (round_,) = (trained / "labeling" / "rounds").glob("001/ask.csv")
    with round_.open() as file:
        assert [row["path"] for row in csv.DictReader(file)] == [row["path"] for row in best]


def test_it_has_a_page_like_the_official_components(rankhub, tmp_path):
    called = rankhub("describe", "loss", "acme/mse", cwd=tmp_path)
    assert called.code == 0, called.err
    flat = " ".join(called.out.split())
    assert flat.startswith("loss mse (plugin acme 2.3)")
    assert "{use: acme/mse" in flat
    assert "strength a number above 0 1.0 Factor." in flat


RESOLVED = """
import json
import rankhub
print(json.dumps({info.name: rankhub.load_recipe(info.name).resolved() for info in rankhub.list_recipes()}))
"""


def test_all_official_recipes_mean_what_they_meant(python, tmp_path):
    command = [str(python), "-c", RESOLVED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    inside = json.loads(done.stdout)
    assert inside.pop(RECIPE)["backbone"]["use"] == "acme/timm"
    outside = {name: rankhub_here.load_recipe(name).resolved() for name in shipped_names()}
    assert inside == json.loads(json.dumps(outside))


def test_official_runs_from_before_are_opened_and_official_recipes_run(rankhub, tmp_path):
    small = ["quickstart", "steps=2", "streams.views.batch_size=8", "evaluate=[]", "--out"]
    before = call_forked("run", *small, tmp_path / "before", cwd=tmp_path)
    assert before.code == 0, before.err
    after = rankhub("run", *small, tmp_path / "after", cwd=tmp_path)
    assert after.code == 0, after.err
    one, other = (
        [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("before", "after")
    )
    assert one == other
    rated = rankhub("run", "--resume", tmp_path / "before", cwd=tmp_path)
    assert rated.code == 0, rated.err


def test_in_a_user_s_recipe_a_name_of_two_is_refused_and_both_are_named(rankhub, tmp_path):
    text = (ACME / "acme_ranking" / "recipes" / f"{RECIPE}.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("extends: stl10", "extends: acme/stl10"))
    called = rankhub("validate", "mine.yaml", cwd=tmp_path)
    assert called.code == 2
    assert "loss 'mse' is given by acme and rankhub_ranking; write acme/mse or rankhub_ranking/mse" in called.err


def test_its_places_give_images_as_files_do(rankhub, trained):
    """Members of a zip file, one of which is broken; all of them, one, and one that is not there."""
    with zipfile.ZipFile(trained / "photos.zip", "w") as file:
        for path in sorted((trained / "photos").iterdir()):
            file.write(path, path.name)
        file.writestr("broken.png", b"no image")
    tables = []
    for source, name in (("photos", "files"), ("photos.zip", "members")):
        done = rankhub("predict", "run", source, "--out", f"{name}.csv", cwd=trained)
        assert done.code == 0, done.err
        tables.append((trained / f"{name}.csv").read_text())
    assert tables[0] == tables[1]
    assert "broken.png" in (trained / "members_skipped.csv").read_text()
    one = rankhub("predict", "run", "photos.zip/2.png", "photos/2.png", cwd=trained)
    first, second = csv.DictReader(one.out.splitlines())
    assert (first.pop("path"), second.pop("path")) == ("photos.zip/2.png", "photos/2.png")
    assert first == second
    gone = rankhub("predict", "run", "photos.zip/9.png", cwd=trained)
    assert gone.code == 2
    assert "photos.zip has no image 9.png; it has 7, such as 0.png" in gone.err
