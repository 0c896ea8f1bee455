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


def photo(path, seed, side=40):
    """A coloured pattern that tells seeds apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    rough.resize((side + 5, side), Image.Resampling.BILINEAR).save(path)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with two runs, other seeds, and twelve photos, of which two are copies and one is broken."""
    root = tmp_path_factory.mktemp("find")
    for number in range(10):
        photo(root / "photos" / f"{number}.png", number)
    photo(root / "photos" / "copy" / "3.png", 3)
    photo(root / "photos" / "copy" / "4.png", 4)
    for name, seed in (("run", 0), ("other", 1)):
        rankhub.train(RECIPE.format(root=root / "photos", seed=seed), root / name, progress=False)
    (root / "photos" / "broken.png").write_bytes(b"no image")
    return root
