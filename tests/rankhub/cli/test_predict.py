"""`rankhub predict` as a user calls it, on a run made by `rankhub run`."""

from __future__ import annotations

import csv
import io
from pkgutil import resolve_name

import numpy as np
import pytest
from helpers.commands import call
from PIL import Image

import rankhub
from rankhub import api

RECIPE = """
name: tiny
data:
  scored: {{use: scored_csv, root: {root}/scored, higher_is_better: false, unit: DMOS}}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads:
  score: {{use: score}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: scored
    batch_size: 6
    generator:
    - {{use: random_crops, size: 24}}
    objectives:
    - {{use: mse, head: score}}
steps: 3
predict: {{use: crops, count: 3, size: 24}}
evaluate:
- {{use: quality, data: scored}}
"""


def photo(path, seed, side=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side + 5, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on eight scored images, and three photos that it has never seen."""
    root = tmp_path_factory.mktemp("predict")
    for number in range(8):
        photo(root / "scored" / f"{number}.png", number)
    rows = [f"{number}.png,{10 * number}" for number in range(8)]
    (root / "scored" / "labels.csv").write_text("\n".join(["path,score", *rows]) + "\n")
    for number, name in enumerate(("b.png", "a.png", "deep/c.png")):
        photo(root / "photos" / name, 100 + number, 30 + number)
    (root / "tiny.yaml").write_text(RECIPE.format(root=root))
    return root


@pytest.fixture(scope="module")
def trained(run):
    from rankhub.cli.main import execute

    assert execute(["run", str(run / "tiny.yaml"), f"loader.cache={run}/cache", "--out", str(run / "out")]) == 0
    return run


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_folder_gets_one_score_an_image_and_the_same_again(trained, capsys):
    out = trained / "scores.csv"
    done = call(capsys, "predict", trained / "out", trained / "photos", "--out", out)
    assert done.code == 0, done.err
    rows = read(out.read_text())
    assert [row["path"] for row in rows] == ["a.png", "b.png", "deep/c.png"]
    assert "score: DMOS, lower is better" in done.out
    assert "3 images" in done.out
    # On the data set's own scale: labels are 0 to 70, while inside they are negative.
    assert all(-100 < float(row["score"]) < 200 and float(row["score"]) > -35 for row in rows)
    printed = call(capsys, "predict", trained / "out", trained / "photos")
    assert read(printed.out) == rows
    # Alone in another folder, an image gets the same score to the last bit.
    alone = trained / "alone"
    photo(alone / "x.png", 101, 31)
    assert read(call(capsys, "predict", trained / "out", alone).out)[0]["score"] == rows[0]["score"]


def test_images_without_names_go_by_their_number(trained, capsys, monkeypatch):
    reader = resolve_name(rankhub.describe("dataset", api.in_role("dataset", "folder")).target)
    monkeypatch.setattr(reader, "facts", lambda self, name: None)
    done = call(capsys, "predict", trained / "out", trained / "photos")
    assert done.code == 0, done.err
    assert [row["path"] for row in read(done.out)] == ["0", "1", "2"]


def test_images_that_are_skipped_are_named(trained, capsys, tmp_path):
    photo(tmp_path / "photos" / "good.png", 1)
    (tmp_path / "photos" / "broken.jpg").write_text("no image")
    done = call(capsys, "predict", trained / "out", tmp_path / "photos", "--out", tmp_path / "scores.csv")
    assert done.code == 0
    assert [row["path"] for row in read((tmp_path / "scores.csv").read_text())] == ["good.png"]
    (table,) = tmp_path.glob("scores_*.csv")
    assert "broken.jpg" in table.read_text()
    assert str(table) in done.out  # on one line, to be copied
    assert "broken.jpg" in call(capsys, "predict", trained / "out", tmp_path / "photos").err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "photos"), "is no run's folder"),
        (("out", "nothing"), "there is no folder"),
        (("out", "photos", "--out", "tiny.yaml"), "is there already"),
        (("out", "photos", "--out", "no/where.csv"), "there is no folder"),
        (("out", "photos", "predict.size=64"), "3 of 3 images"),
        (("out", "photos", "predict.count=no"), "predict.count"),
        (("out", "photos", "heads.score.hidden=7"), "do not fit"),
    ],
)
def test_mistakes_are_sentences(trained, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(trained)
    done = call(capsys, "predict", *arguments)
    assert done.code == 2
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_network_without_a_score_says_so(tmp_path, capsys):
    quick = ["steps=1", "evaluate=[]"]
    assert call(capsys, "run", "quickstart", *quick, "--out", tmp_path / "run").code == 0
    photo(tmp_path / "photos" / "a.png", 1)
    done = call(capsys, "predict", tmp_path / "run", tmp_path / "photos")
    assert done.code == 2
    assert "no head of this run gives one number an image" in done.err
