"""The tool that trains on a folder of images, on a few small ones."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """8 images of noise."""
    draw = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(8):
        Image.fromarray(draw.integers(0, 256, (32, 32, 3), np.uint8)).save(tmp_path / "images" / f"{number}.png")
    return tmp_path / "images"


def test_the_rate_of_training_leaves_out_the_warm_up(folder, load_tool, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # where decoded images are kept
    tool = load_tool("bench_training")
    monkeypatch.setattr(tool, "IMAGES", 4)
    found = tool.ours(folder, "test_resnet", 32, 0.0)
    assert found["opened"] > 0
    assert found["rate"] > 0
    marks = [0.0] * (tool.WARM_UP - 1) + [10.0, 12.0, 14.0]
    assert tool.rate(marks) == 2 * 2 * 4 / 4
