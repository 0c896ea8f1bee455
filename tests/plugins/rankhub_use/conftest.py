"""One small run for all tests of the plugin."""

from __future__ import annotations

import pytest
from helpers.scored_photos import RECIPE, write_photos

import rankhub

RANKED = """\
  ranked:
    data: scored
    batch_size: 2
    generator:
    - {use: distortions, set: [{kind: gaussian_blur, levels: [1, 2, 4]}]}
    - {use: random_crops, size: 24}
    objectives: [{use: margin_ranking, head: score}]
"""

FILES = [f"{number:02d}.png" for number in range(12)]


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A run, trained on photos of three sizes with scores from 0 to 70, in a folder with them."""
    root = tmp_path_factory.mktemp("use")
    sides = [(30 + number % 3, 33) for number in range(len(FILES))]
    assert write_photos(root / "photos", sides, step=10, scored=8) == FILES
    rankhub.train(RECIPE.format(root=root / "photos", more=RANKED), out=root / "run", progress=False)
    return root
