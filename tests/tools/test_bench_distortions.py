"""The benchmark of the distortions covers every kind and both sets."""

from __future__ import annotations

import bench_distortions
import numpy as np
from PIL import Image

from rankhub_quality.distortion.kinds import KINDS


def test_every_kind_and_set_has_a_row(tmp_path, capsys):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "photo.png")
    options = ["--photo", str(tmp_path / "photo.png"), "--width", "24", "--height", "16", "--repeats", "1"]
    assert bench_distortions.main(options) == 0
    printed = capsys.readouterr().out
    assert "24 x 16 pixels" in printed
    rows = {line.split()[1]: line.split()[3::2] for line in printed.splitlines() if line.startswith("│")}
    assert set(KINDS) <= set(rows)
    assert rows["live"][:2] == ["4", "20"]
    assert rows["tid2013"][:2] == ["19", "76"]
