"""One small run for all tests of the plugin."""

from __future__ import annotations

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
  ranked:
    data: scored
    batch_size: 2
    generator:
    - {{use: distortions, set: [{{kind: gaussian_blur, levels: [1, 2, 4]}}]}}
    - {{use: random_crops, size: 24}}
    objectives: [{{use: margin_ranking, head: score}}]
steps: 2
predict: {{use: center, size: 24}}
evaluate:
- {{use: quality, data: scored}}
loader: {{cache: {root}/cache}}
"""

FILES = [f"{number:02d}.png" for number in range(12)]


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A run, trained on photos of three sizes with scores from 0 to 70, in a folder with them."""
    root = tmp_path_factory.mktemp("use")
    (root / "photos").mkdir()
    for number, name in enumerate(FILES):
        pixels = np.random.default_rng(number).integers(0, 256, (30 + number % 3, 33, 3), np.uint8)
        Image.fromarray(pixels).save(root / "photos" / name)
    rows = [f"{name},{10 * number}" for number, name in enumerate(FILES[:8])]
    (root / "photos" / "labels.csv").write_text("\n".join(["path,score", *rows]) + "\n")
    rankhub.train(RECIPE.format(root=root / "photos"), out=root / "run", progress=False)
    return root
