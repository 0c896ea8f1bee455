"""A tiny study: images of dots, and a plan that compares two small trainings on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from rankhub_study.choice import Jobs
from rankhub_study.plan import read_plan
from rankhub_study.recipes import Recipes

PLAN = """
title: Tiny cells
overrides:
  data.labeled: {use: dot_images, root: cells, part: train, held_out: 6}
  data.unlabeled: {like: labeled, part: unlabeled, labels: null}
  backbone: {use: timm, model: test_resnet, stride: 8}
  optimizer.lr: 1.0e-3
  schedule.warmup_steps: 2
  predict: {use: whole}
  checkpoint: {every_epochs: null, every_steps: 4}
sets:
  labels:
    streams.labeled.batch_size: 2
    streams.labeled.generator: [{use: scaled_crops, size: 32, smallest: 24, largest: 40, count: 2}]
    evaluate: [{use: counting, data: test, train: labeled, game: [], pictures: 0}]
  ranks:
    streams.ranked.batch_size: 2
    streams.ranked.generator: [{use: nested_crops, size: 32, crops: 3, scale: 0.6, smallest: 8}]
axes:
  seed: [0, 1]
methods:
  supervised: {recipe: counting_supervised, sets: [labels], title: labels only}
  ranking:
    recipe: counting_ranking
    sets: [ranks]
    budget: {steps: 4}
  finetune: {recipe: counting_supervised, sets: [labels], start_from: ranking}
budget: {steps: 12}
metrics:
  counting.mae: MAE
  counting.rmse: {title: RMSE, difference: false}
baseline: supervised
"""


def make_cells(root: Path, images: int = 16, side: int = 64) -> Path:
    """Images of bright squares on noise, each with an image of dots beside it."""
    root.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for number in range(images):
        image, dots = draw.integers(0, 80, (side, side, 3), np.uint8), np.zeros((side, side), np.uint8)
        for y, x in draw.integers(3, side - 3, (int(draw.integers(4, 20)), 2)):
            image[y - 2 : y + 3, x - 2 : x + 3] = 220
            dots[y, x] = 255
        Image.fromarray(image).save(root / f"{number:03d}cell.png")
        Image.fromarray(dots).save(root / f"{number:03d}dots.png")
    return root


def write_plan(folder: Path, text: str = PLAN, **changes: object) -> Path:
    """The plan with entries at its top replaced; None takes one out."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = {name: value for name, value in {**yaml.safe_load(text), **changes}.items() if value is not None}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    return folder / "tiny.yaml"


def jobs_of(plan: Path, out: Path, *overrides: str) -> Jobs:
    """The jobs of a plan's file."""
    read, document = read_plan(plan)
    return Jobs(Recipes(read, document, overrides), out.absolute())
