"""Drawn scenes as images and images of dots, as the measurement of counting reads them."""

from __future__ import annotations

import draw_scenes
import numpy as np
import pytest

from rankhub import build
from rankhub.interfaces.data import OpenContext


def test_the_dots_are_the_points_of_the_scenes(tmp_path, capsys):
    draw_scenes.main([str(tmp_path / "s"), "--images", "3", "--set", "size=96", "most=30"])
    files = {"root": str(tmp_path / "s"), "images": "*cell.png", "dots": "*dots.png", "dot": "pixel"}
    read = build("dataset", {"use": "dot_images", **files})
    scenes = build("dataset", {"use": "drawn_scenes", "images": 3, "size": 96, "most": 30})
    for data in (read, scenes):
        data.open(OpenContext(tmp_path / "cache", 10**9, lambda done, total, what: None))
    said = capsys.readouterr().out
    lost = sum(len(points) for points in scenes.points()) - sum(len(points) for points in read.points())
    assert f"; {lost} share a pixel" in said
    for number in range(3):
        assert np.array_equal(read[number].image, scenes[number].image)
        own = {tuple(point) for point in np.floor(scenes.points()[number][:, :2]).tolist()}
        assert own == {tuple(point) for point in np.floor(read.points()[number][:, :2]).tolist()}


def test_wrong_options_are_said(tmp_path, capsys):
    with pytest.raises(SystemExit):
        draw_scenes.main([str(tmp_path / "s"), "--set", "mosst=30"])
    assert "mosst" in capsys.readouterr().err
