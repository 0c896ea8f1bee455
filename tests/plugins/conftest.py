"""Folders of small photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photo() -> Callable[..., Image.Image]:
    """Makes a smooth image, another for each seed, unlike itself under every flip and turn."""

    def make(width: int = 24, height: int = 16, seed: int = 0) -> Image.Image:
        coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR)

    return make


@pytest.fixture
def folder(tmp_path, photo) -> Callable[..., Path]:
    """Makes a folder of PNG photos: one for each given path."""

    def make(*paths: str, name: str = "photos") -> Path:
        root = tmp_path / name
        for seed, path in enumerate(paths):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            photo(seed=seed).save(root / path)
        return root

    return make
