"""The study of a folder of small photos, on a few images."""

from __future__ import annotations

import numpy as np
from helpers.commands import call
from PIL import Image


def test_a_folder_is_learned_from_and_scored(tmp_path, capsys):
    draw, photos = np.random.default_rng(0), tmp_path / "photos"
    for folder, count in {"unlabeled": 8, "train/a": 2, "train/b": 2, "test/a": 2, "test/b": 2}.items():
        (photos / folder).mkdir(parents=True)
        for number in range(count):
            pixels = draw.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(photos / folder / f"{number}.png")
    roots = {"photos": photos, "train": photos / "train", "test": photos / "test"}
    given = [f"data.{name}.root={root}" for name, root in roots.items()]
    small = ["streams.views.batch_size=4", "evaluate.knn.k=1", "schedule.warmup_steps=0", "steps=1"]
    words = ["study", "folder", *given, *small, "--only", "seed=0", "--out", tmp_path / "out", "--jobs", 1]
    assert call(capsys, *words).code == 0
    rows = [
        line.split(" | ")[0].strip("| ") for line in (tmp_path / "out/table.md").read_text().splitlines() if "|" in line
    ]
    assert rows == ["method", "---", "raw pixels", "untrained", "S2R2"]
    assert "1 jobs, 1 of them are there" in call(capsys, *words).out
    called = call(capsys, *words, "optimizer.rate=1")
    assert called.code == 2
    assert "unknown option 'rate'" in called.err
