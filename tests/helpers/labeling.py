"""Folders of images to label, recipes that learn from their labels in a few steps, and answers that people give."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import rankhub
from rankhub import Talk
from rankhub.engine.training import Training
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import LabelingOptions
from rankhub_active.labeling.setup import set_up

SCORED = """
name: tiny_quality
data:
  labeled: {use: scored_csv, root: nowhere, higher_is_better: false, range: [0, 100], unit: DMOS, part: train}
  test: {like: labeled, part: held_out}
  pristine: {use: image_folder, root: nowhere/pristine}
backbone: {use: timm, model: test_resnet, stem: small}
heads:
  score: {use: score, dropout: 0.2}
optimizer: {use: adamw, lr: 1.0e-3}
streams:
  labeled:
    data: labeled
    batch_size: 4
    generator: [{use: random_crops, size: 24}]
    objectives: [{use: mse, head: score}]
  ranked:
    data: pristine
    batch_size: 2
    generator: [{use: distortions, set: [{kind: gaussian_blur, levels: [1, 4]}]}, {use: random_crops, size: 24}]
    objectives: [{use: margin_ranking, head: score}]

steps: 3
predict: {use: crops, count: 2, size: 24}
evaluate:
- {use: quality, data: test}
next_steps: ["rankhub run something_else"]
checkpoint: {every_steps: 1, keep: 2}
"""
"""Scores that run down, and a ranked stream; none of its data is there."""

COUNTED = """
name: tiny_counting
data:
  labeled: {use: points, root: nowhere, annotations: points.csv, part: train, unit: beans}
  unlabeled: {like: labeled, part: unlabeled}
  test: {like: labeled, part: held_out}
backbone: {use: timm, model: test_resnet, stride: 8}
heads:
  density: {use: density}
optimizer: {use: adamw, lr: 1.0e-3}
streams:
  labeled:
    data: labeled
    batch_size: 2
    generator: [{use: scaled_crops, size: 32, smallest: 24, largest: 40, flip: 0.5}]
    objectives:
    - {use: density_mse, head: density, output: map, sigma: 4}
    - {use: l1, head: density, output: count, weight: 0.1}
  ranked:
    data: unlabeled
    batch_size: 2
    generator: [{use: nested_crops, size: 32, smallest: 8, crops: 3}]
    objectives: [{use: margin_ranking, head: density, output: count, margin: 0}]

steps: 2
predict: {use: tiles, size: 64}
evaluate:
- {use: counting, data: test}
- {use: ranking_accuracy, stream: ranked, data: test, output: density.count}
"""
"""Points, and nested crops of the same images; none of its data is there."""

VIEWS = """
name: tiny_views
data:
  photos: {use: image_folder, root: nowhere}
backbone: {use: timm, model: test_resnet, stem: small}
heads:
  embedding: {use: projection, dim: 8}
optimizer: {use: adamw, lr: 1.0e-3}
streams:
  views:
    data: photos
    batch_size: 4
    generator: [{use: random_views, views: 2, size: 24}]
    objectives: [{use: smooth_ap, head: embedding}]

steps: 2
predict: {use: center, size: 24}
"""
"""Representation by ranking: no labels, and views of equal level."""


def photos(folder: Path, names: Mapping[str, int] | int, side: int = 40) -> Path:
    """Make a folder of noise: name -> seed, or so many images."""
    seeds = {f"{'deep/' if n % 3 == 0 else ''}{n:02}.png": n for n in range(names)} if isinstance(names, int) else names
    for name, seed in seeds.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 6, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def recipe_in(folder: Path, text: str) -> Path:
    """Write a recipe's file."""
    file = folder / "tiny.yaml"
    file.write_text(text)
    return file


def images_and_recipe(folder: Path, images: int, text: str = SCORED) -> Path:
    """A folder with so many images and a recipe, from which the commands can be called."""
    photos(folder / "images", images)
    recipe_in(folder, text)
    return folder


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def score_of(path: str) -> float:
    """What people say of an image made by :func:`photos`."""
    return float(int(Path(path).stem) * 3 % 101)


def fill_in(form: Path, leave: int = 0) -> int:
    """Answer a form of scores but for its last ``leave`` rows; returns how many rows were answered."""
    rows = read(form)
    answered = rows[: len(rows) - leave]
    with form.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "score"])
        writer.writerows((row["path"], score_of(row["path"]) if row in answered else "") for row in rows)
    return len(answered)


QUIET = Talk()


def quiet(done: int, total: int, what: str) -> None:
    """Progress that nobody sees."""


def set_up_in(folder: Path, text: str = SCORED, images: int = 16, **wishes: Any) -> Pool:
    """A folder ``folder / "labeling"`` for the images of ``folder / "images"``, which are made."""
    made = LabelingOptions(images=photos(folder / "images", images), **wishes)
    return set_up(folder / "labeling", rankhub.load_recipe(text), made, quiet).pool


def answer_round(pool: Pool, leave: int = 0) -> dict[str, float]:
    """Answer the images that were asked for, the last ``leave`` excepted; path -> score."""
    rows = sorted(pool.rows(state="asked"), key=lambda row: row.position or 0)
    given = rows[: len(rows) - leave]
    pool.answer({row.id: repr(score_of(row.path)) for row in given}, "people")
    return {row.path: score_of(row.path) for row in given}


def stop_after(patch, steps):
    """Training stops after so many steps, as by Ctrl-C."""
    whole = Training.__init__

    def init(self, parts, learner, checkpoints, journal, watchers, interrupt, show, *rest, **more):
        def stop(number, *about):
            show(number, *about)
            if number == steps:
                interrupt.asked = "SIGINT"

        whole(self, parts, learner, checkpoints, journal, watchers, interrupt, stop, *rest, **more)

    patch.setattr(Training, "__init__", init)
