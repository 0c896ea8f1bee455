"""Folders of runs: one that was trained, and copies of it that a test may damage."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

import rankhub

RECIPE = """
name: tiny
data:
  scored: {{use: scored_csv, root: {root}, higher_is_better: true, range: [0, 110], unit: MOS}}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads: {{score: {{use: score}}}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  labeled:
    data: scored
    batch_size: 6
    generator: [{{use: random_crops, size: 24}}]
    objectives: [{{use: mse, head: score}}]
steps: 2
predict: {{use: center, size: 24}}
evaluate:
- {{use: quality, data: scored}}
loader: {{cache: {root}/cache}}
"""

HOSTILE = "<img src=x onerror=boom()>&amp;\"'</script><script>boom()</script>.png"
"""What a stranger may write wherever a run's folder has text."""


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with ``photos`` and ``run``."""
    root = tmp_path_factory.mktemp("report")
    (root / "photos").mkdir()
    names = [f"{number:02d}.png" for number in range(8)]
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 33, 3), np.uint8)
        Image.fromarray(pixels).save(root / "photos" / name)
    rows = [f"{name},{10 * number}" for number, name in enumerate(names)]
    (root / "photos" / "labels.csv").write_text("\n".join(["path,score", *rows]) + "\n")
    rankhub.train(RECIPE.format(root=root / "photos"), out=root / "run", progress=False)
    return root


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run's folder; its recipe still names the photos."""
    return shutil.copytree(trained / "run", tmp_path / "copy")
