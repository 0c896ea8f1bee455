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
    found = tool.ours(tool.PROFILES["lightly_32"], folder, 0.0)
    assert found["opened"] > 0
    assert found["rate"] > 0
    marks = [0.0] * (tool.WARM_UP - 1) + [10.0, 12.0, 14.0]
    assert tool.rate(marks) == 2 / 4


def test_shares_are_taken_of_what_network_and_generator_allow(load_tool, monkeypatch, capsys, tmp_path):
    tool = load_tool("bench_training")
    rates = {"rankhub": 2.0, "bare": 5.0, "lightly": 1.0}
    formats = {"contiguous_format": 4.0, "channels_last": 5.0, "generator": 5.0, "views": 10.0}
    monkeypatch.setattr(tool, "in_a_process", lambda module, way, *words: {"rate": rates[way], **formats})
    shares = tool.turn_of("quality", ["rankhub", "bare"], tmp_path, 1.0)
    assert shares == {"of what is possible": pytest.approx(2 / 2.5)}
    shares = tool.turn_of("lightly_32", ["rankhub", "bare", "lightly"], tmp_path, 1.0)
    assert shares == {"of what is possible": pytest.approx(2 / 5), "times lightly": pytest.approx(2.0)}
    assert capsys.readouterr().out.count("(load ") == 5


def test_the_bare_network_is_measured_in_both_formats_and_the_generator_by_itself(folder, load_tool, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    tool = load_tool("bench_training")
    monkeypatch.setattr(tool, "IMAGES", 4)
    found = tool.bare(tool.PROFILES["lightly_32"], folder, 0.0)
    assert found["views"] == 8
    assert found["rate"] == max(found["contiguous_format"], found["channels_last"]) > 0
    assert found["generator"] > 0
