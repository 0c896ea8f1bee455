"""Folders of tiny images, each unlike the others, and what opening a data set needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rankhub.interfaces.data import DataReport, Dataset, OpenContext


@pytest.fixture
def context(tmp_path) -> OpenContext:
    return OpenContext(tmp_path / "cache", 1 << 30, lambda *_: None)


@pytest.fixture
def draw(tmp_path) -> Callable[..., Path]:
    """Writes one image of 6 x 4 pixels for each path below ``tmp_path/data``."""

    def write(*paths: str) -> Path:
        root = tmp_path / "data"
        for seed, path in enumerate(paths):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / path)
        return root

    return write


@pytest.fixture
def opened(context) -> Callable[[Dataset], tuple[Dataset, DataReport]]:
    """Opens a data set as the engine does."""

    def make(data: Dataset) -> tuple[Dataset, DataReport]:
        assert data.missing() is None
        return data, data.open(context)

    return make
