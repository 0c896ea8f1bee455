"""`rankhub run --resume` in a world that has changed: labels, points, images, and where they lie."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil

import numpy as np
import pytest
import torch
from helpers.commands import call
from PIL import Image
from safetensors.torch import load_file

SCORED = """
name: tiny
data:
  scored: {{use: scored_csv, root: {root}, higher_is_better: true, part: train}}
  test: {{like: scored, part: held_out}}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads: {{score: {{use: score}}}}
optimizer: {{use: adamw, lr: 2.0e-3}}
streams:
  labeled:
    data: scored
    batch_size: 4
    generator: [{{use: random_crops, size: 24}}]
    objectives: [{{use: mse, head: score}}]
steps: 4
predict: {{use: crops, count: 2, size: 24}}
evaluate: [{{use: quality, data: test}}]
checkpoint: {{every_epochs: null, every_steps: 2}}
"""

COUNTED = """
name: tiny
data: {{photos: {{use: points, root: {root}, annotations: labels.csv}}}}
backbone: {{use: timm, model: test_resnet, stride: 8}}
heads: {{density: {{use: density}}}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: photos
    batch_size: 4
    generator: [{{use: scaled_crops, size: 24, smallest: 20, largest: 28, flip: 0.5}}]
    objectives: [{{use: density_mse, head: density, output: map, sigma: 4}}]
steps: 4
predict: {{use: tiles, size: 32}}
checkpoint: {{every_epochs: null, every_steps: 2}}
"""


def write(root, scores=None, points=None):
    """Twenty photos and a table of their labels."""
    root.mkdir(exist_ok=True)
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 40, 3), np.uint8)
        if not (root / f"{number}.png").exists():
            Image.fromarray(pixels).save(root / f"{number}.png")
    with (root / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "score"] if scores is not None else ["path", "x", "y"])
        for number in range(20):
            rows.writerows([[f"{number}.png", scores[number]]] if scores is not None else
                           [[f"{number}.png", x, y] for x, y in points[number]])  # fmt: skip


@pytest.fixture(params=["scored", "counted"])
def stopped(request, tmp_path):
    """A folder of photos, and a run on them that was killed after step 2, and one that was not."""
    root, scores = tmp_path / "photos", [number % 5 + 1.0 for number in range(20)]
    if request.param == "scored":
        write(root, scores=[*scores[:3], 489.0, *scores[4:]])  # a typo
    else:
        write(root, points=[[(5.5, 6.5), (20.5, 9.5)] for _ in range(20)])
    text = SCORED if request.param == "scored" else COUNTED
    (tmp_path / "tiny.yaml").write_text(text.format(root=root))
    run(tmp_path, "tiny.yaml", "--out", tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoints/step_000000004")
    return tmp_path, request.param


def run(place, *arguments):
    from rankhub_cli.main import execute

    before = os.getcwd()
    os.chdir(place)
    try:
        assert execute(["run", *map(str, arguments)]) == 0
    finally:
        os.chdir(before)


def refused(capsys, place):
    done = call(capsys, "run", "--resume", place / "run")
    assert done.code == 2
    assert done.err.startswith(f"error: {place / 'run'} cannot go on as it began, for data.")
    assert "--allow-changes" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (place / "run/checkpoints/step_000000004").exists()
    return done.err


def same_end(place):
    ours, theirs = (
        load_file(place / name / "checkpoints/step_000000004/model.safetensors") for name in ("run", "whole")
    )
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_changed_labels_are_refused_and_with_the_switch_table_and_predict_agree(stopped, capsys):
    place, kind = stopped
    if kind == "scored":
        write(place / "photos", scores=[number % 5 + 1.0 for number in range(20)])
    else:  # as many points, one of them elsewhere
        write(place / "photos", points=[[(5.5, 6.5), (21.5, 9.5)], *[[(5.5, 6.5), (20.5, 9.5)] for _ in range(19)]])
    assert "has other labels" in refused(capsys, place)
    then = json.loads((place / "run/labels.json").read_text())
    done = call(capsys, "run", "--resume", place / "run", "--allow-changes")
    assert done.code == 0
    now = json.loads((place / "run/labels.json").read_text())
    for name, label in then.items():  # the network answers on the scale that it began with
        assert all(now[name][key] == label[key] for key in ("mean", "std", "density"))
    if kind == "counted":
        return
    assert "after training *: went on after step 2 though data.scored has other labels" in done.out
    assert call(capsys, "predict", place / "run", place / "photos", "--out", place / "said.csv").code == 0
    with (place / "said.csv").open() as file:
        said = {row["path"]: float(row["score"]) for row in csv.DictReader(file)}
    with (place / "run/evaluation/after_training/quality_images.csv").open() as file:
        table = list(csv.DictReader(file))
    errors = [said[row["image"]] - (int(row["image"].partition(".")[0]) % 5 + 1.0) for row in table]
    with (place / "run/results.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert math.sqrt(np.mean(np.square(errors))) == pytest.approx(float(last["quality rmse"]), rel=1e-4)


def test_other_images_are_refused(stopped, capsys):
    place, _ = stopped
    first = place / "photos/0.png"
    then = first.read_bytes()
    Image.fromarray(np.random.default_rng(99).integers(0, 256, (32, 40, 3), np.uint8)).save(first)
    os.utime(first, (0, 0))
    assert "of the same names" in refused(capsys, place)
    first.write_bytes(then)
    table = place / "photos/labels.csv"
    lines = table.read_text()
    table.write_text("\n".join(line for line in lines.splitlines() if not line.startswith("7.png")) + "\n")
    assert "images and has" in refused(capsys, place)
    table.write_text(lines)
    assert call(capsys, "run", "--resume", place / "run").code == 0
    assert same_end(place)


def test_the_same_data_elsewhere_are_the_same(stopped, capsys):
    place, _ = stopped
    shutil.copytree(place / "photos", place / "moved", copy_function=shutil.copyfile)
    shutil.rmtree(place / "photos")
    recipe = place / "run/recipe.resolved.yaml"
    recipe.write_text(recipe.read_text().replace(str(place / "photos"), str(place / "moved")))
    done = call(capsys, "run", "--resume", place / "run")
    assert done.code == 0, done.err
    assert "goes on though" not in done.out
    assert same_end(place)


def test_the_switch_goes_with_resume_only(capsys):
    done = call(capsys, "run", "quickstart", "--allow-changes")
    assert done.code == 2
    assert "--allow-changes goes with --resume" in done.err
