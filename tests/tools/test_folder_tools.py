"""The tools that train on a folder of images, on a few small ones."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path):
    """8 unlabeled images, 4 to train on and 4 to test on, of two classes."""
    draw = np.random.default_rng(0)
    folders = {"unlabeled": 8, "train/a": 2, "train/b": 2, "test/a": 2, "test/b": 2}
    for folder, count in folders.items():
        (tmp_path / "images" / folder).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / folder / f"{number}.png")
    return tmp_path / "images"


def test_seeds_are_trained_once_and_their_gain_is_told(folder, load_tool, monkeypatch, tmp_path, capsys):
    tool = load_tool("measure_folder")
    small = ["streams.views.batch_size=4", "evaluate.knn.k=1", "schedule.warmup_steps=0", "threads=1"]
    cache = f"loader.cache={tmp_path / 'cache'}"
    out = tmp_path / "out"
    line = ["measure_folder", str(folder), *small, cache, "--steps", "1", "--seeds", "0", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", line)
    tool.main()
    first = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("seed", "mean gain"))]
    assert [each.partition(":")[0] for each in first] == ["seed 0", "seed 1", "mean gain over the better reference"]
    assert "knn accuracy: raw pixels" in first[0]
    tool.main()
    assert capsys.readouterr().out.splitlines() == first, "read from the runs that are there"


def test_what_is_wrong_with_an_override_is_said(folder, load_tool, monkeypatch, tmp_path, capsys):
    line = ["measure_folder", str(folder), "optimizer.rate=1", "--seeds", "0", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", line)
    with pytest.raises(SystemExit) as ended:
        load_tool("measure_folder").main()
    assert ended.value.code == 2
    assert "unknown option 'rate'" in capsys.readouterr().err


def test_the_rate_of_training_leaves_out_the_warm_up(folder, load_tool, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))  # where decoded images are kept
    tool = load_tool("bench_training")
    monkeypatch.setattr(tool, "IMAGES", 4)
    found = tool.ours(folder, "test_resnet", 32, 0.0)
    assert found["opened"] > 0
    assert found["rate"] > 0
    marks = [0.0] * (tool.WARM_UP - 1) + [10.0, 12.0, 14.0]
    assert tool.rate(marks) == 2 * 2 * 4 / 4
