"""What is handed over in Python trains a network exactly as the same data in files do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import rankhub

COMMON = """
data: {{labeled: {data}}}
backbone: {{use: timm, model: test_resnet, stride: 8}}
optimizer: {{use: adamw, lr: 1.0e-3}}
device: cpu
"""
SCORES = (
    COMMON
    + """
heads: {{score: {{use: score}}}}
streams:
  labeled:
    data: labeled
    batch_size: 4
    generator: [{{use: random_crops, size: 24}}]
    objectives: [{{use: mse, head: score}}]
steps: 3
predict: {{use: crops, count: 3, size: 24}}
evaluate: [{{use: quality, data: labeled}}]
"""
)
POINTS = (
    COMMON
    + """
heads: {{density: {{use: density}}}}
streams:
  labeled:
    data: labeled
    batch_size: 4
    generator: [{{use: scaled_crops, size: 32, smallest: 24, largest: 48, flip: 0.5}}]
    objectives: [{{use: density_mse, head: density, output: map, sigma: 4, adaptive: 0.3}}]
steps: 3
predict: {{use: tiles, size: 64}}
evaluate: [{{use: counting, data: labeled}}]
"""
)


@pytest.fixture
def photos(tmp_path):
    """Eight photos."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(8):
        Image.fromarray(rng.integers(0, 256, (70 + number, 90, 3), np.uint8)).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def alike(one, other):
    first, second = one.network.state_dict(), other.network.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def compared(recipe, role, options, given, labels, photos, tmp_path):
    """A run on a data set of a role, and one in which its images and labels are handed over."""
    spec = {"use": rankhub.Catalog.discover().in_role("dataset", role), "root": str(photos[0].parent), **options}
    loaded = rankhub.load_recipe(recipe.format(data=json.dumps(spec)))
    expected = rankhub.train(loaded, tmp_path / "files", progress=False)
    run = rankhub.train(loaded, tmp_path / "given", {"labeled": (given, labels)}, progress=False)
    assert alike(run, expected)
    assert run.assembly.labels == expected.assembly.labels
    assert run.metrics == expected.metrics
    assert run.metrics
    return run


def test_scores(photos, tmp_path):
    scores = [10.0 * number for number in range(8)]
    rows = [f"{photo.name},{score}" for photo, score in zip(photos, scores, strict=True)]
    (photos[0].parent / "labels.csv").write_text("\n".join(["path,score", *rows]) + "\n")
    meaning = {"higher_is_better": False, "unit": "DMOS", "range": [0, 100], "resize": 50}
    run = compared(SCORES, "scores", meaning, photos, np.array(scores, np.float32), photos, tmp_path)
    found = run.predict(photos[0])
    assert (found.unit, found.direction) == ({"score": "DMOS"}, {"score": "lower is better"})
    workers = rankhub.load_recipe(run.recipe, {"loader.workers": 2})
    assert alike(rankhub.train(workers, tmp_path / "workers", {"labeled": (photos, scores)}, progress=False), run)


def test_points(photos, tmp_path):
    rng = np.random.default_rng(1)
    points = [np.round(rng.uniform(4, 66, (3 + number, 2)), 1) for number in range(8)]
    rows = [f"{photo.name},{x},{y}" for photo, each in zip(photos, points, strict=True) for x, y in each.tolist()]
    (photos[0].parent / "points.csv").write_text("\n".join(["path,x,y", *rows]) + "\n")
    options = {"annotations": "points.csv", "unit": "beans", "max_side": 80}
    run = compared(POINTS, "points", options, photos, points, photos, tmp_path)
    assert run.predict(photos[0]).unit == {"count": "beans"}
