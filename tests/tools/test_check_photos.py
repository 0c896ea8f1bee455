from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def tool(load_tool):
    return load_tool("check_photos")


@pytest.fixture
def pool(tmp_path):
    """Folders ``photos`` with 3 photos and ``references`` with a small copy of the second."""
    for folder in ("photos", "references"):
        (tmp_path / folder).mkdir()
    for number in range(3):
        low = Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8))
        low.resize((160, 120), Image.Resampling.BICUBIC).save(tmp_path / "photos" / f"{number}.png")
    with Image.open(tmp_path / "photos" / "1.png") as same:
        same.resize((80, 60)).save(tmp_path / "references" / "one.jpg", quality=60)
    return tmp_path


def test_a_photo_that_is_a_reference_is_left_out(tool, pool, capsys):
    assert tool.main([str(pool / "photos"), str(pool / "references"), "--out", str(pool / "photos.csv")]) == 0
    assert (pool / "photos.csv").read_text().split() == ["path", "0.png", "2.png"]
    assert "2 photos; left out since they are references: 1.png (one.jpg)" in capsys.readouterr().out


def test_a_folder_without_images_is_one_sentence(tool, pool, capsys):
    (pool / "nothing").mkdir()
    with pytest.raises(SystemExit):
        tool.main([str(pool / "photos"), str(pool / "nothing")])
    assert "nothing is no folder of images" in capsys.readouterr().err
