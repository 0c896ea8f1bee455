"""Photos that tell their seeds apart, and two runs that have hardly learned anything from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import rankhub

RECIPE = """
name: tiny
data:
  photos: {{use: image_folder, root: {root}}}
backbone: {{use: timm, model: test_resnet}}
heads: {{embedding: {{use: projection, dim: 8}}}}
optimizer: {{use: adamw, lr: 1.0e-3}}
streams:
  views:
    data: photos
    batch_size: 4
    generator: [{{use: random_views, views: 2, size: 32}}]
    objectives: [{{use: smooth_ap, head: embedding}}]
steps: 1
threads: 1
device: cpu
seed: {seed}
predict: {{use: center, size: 32}}
"""


def photo(path: Path, seed: int) -> None:
    """A coloured pattern of 45 x 40 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rough = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8))
    rough.resize((45, 40), Image.Resampling.BILINEAR).save(path)


def train_two(root: Path) -> None:
    """``run`` and ``other``, of different seeds, on ``photos``."""
    for name, seed in (("run", 0), ("other", 1)):
        rankhub.train(RECIPE.format(root=root / "photos", seed=seed), root / name, progress=False)
