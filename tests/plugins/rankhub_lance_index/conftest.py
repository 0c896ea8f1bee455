"""A run that has hardly learned anything, and photos."""

from __future__ import annotations

import numpy as np
import pytest
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


@pytest.fixture(scope="session")
def shot(tmp_path_factory):
    """A folder with two runs of other seeds, and eight photos of which two are equal."""
    root = tmp_path_factory.mktemp("lance_find")
    (root / "photos").mkdir()
    for number in range(8):
        colours = np.random.default_rng(number % 7).integers(0, 256, (4, 4, 3), np.uint8)
        picture = Image.fromarray(colours).resize((45, 40), Image.Resampling.BILINEAR)
        picture.save(root / "photos" / f"{number}.png")
    for name, seed in (("run", 0), ("other", 1)):
        rankhub.train(RECIPE.format(root=root / "photos", seed=seed), root / name, progress=False)
    return root
