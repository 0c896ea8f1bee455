"""A run that has hardly learned anything, and photos; a packed table, and an index in a column of it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.vector_columns import Indexed, ids, write_table
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


@pytest.fixture
def table(tmp_path):
    """Of 700 rows in three fragments."""
    pytest.importorskip("lance")
    write_table(tmp_path / "photos.lance", ids(0, 700), 250)
    return tmp_path / "photos.lance"


@pytest.fixture
def indexed(table, tmp_path):
    """An index of all but every seventh row, handed over in another order."""
    made = Indexed(tmp_path / "photos.index", table)
    made.create()
    some = [one for number, one in enumerate(ids(0, 700)) if number % 7]
    made.append(some[300:])
    made.append(some[:300])
    made.save()
    return made
