"""Runs that have hardly learned anything, one of each kind that is exported in its own way."""

from __future__ import annotations

import pytest
from helpers.counted import COUNTED
from helpers.scored_photos import write_photos
from PIL import Image
from skimage import data

import rankhub

SCORED = """
name: scored
data:
  scored: {{use: scored_csv, root: {root}/scored, higher_is_better: false, unit: DMOS}}
backbone: {{use: timm, model: test_resnet, stem: {stem}}}
heads:
  score: {{use: score}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: scored
    batch_size: 4
    generator: [{{use: random_crops, size: 48}}]
    objectives: [{{use: mse, head: score}}]
steps: 2
device: cpu
threads: 1
predict: {predict}
evaluate: [{{use: quality, data: scored}}]
"""


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Three real photographs, small."""
    root = tmp_path_factory.mktemp("photos")
    for name, size in (("astronaut", (96, 96)), ("coffee", (131, 97)), ("chelsea", (90, 140))):
        Image.fromarray(getattr(data, name)()).resize(size).save(root / f"{name}.png")
    return root


@pytest.fixture(scope="session")
def scored(tmp_path_factory):
    """Makes a run on scores, lower is better, by a way to predict and a stem."""
    root, made = tmp_path_factory.mktemp("scored"), {}
    write_photos(root / "scored", [(60, 64)] * 4, step=20)

    def run(predict, stem="standard"):
        key = (predict, stem)
        if key not in made:
            made[key] = root / f"run{len(made)}"
            rankhub.train(SCORED.format(root=root, predict=predict, stem=stem), made[key], progress=False)
        return made[key]

    return run


@pytest.fixture(scope="session")
def counted(tmp_path_factory):
    """A run that counts."""
    folder = tmp_path_factory.mktemp("counted") / "run"
    rankhub.train(COUNTED, folder, progress=False)
    return folder
