"""Images are read in order, a bounded number ahead; progress says how long it will take."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
from PIL import Image

from rankhub import Talk
from rankhub_use import reading, shell
from rankhub_use.named import NamedFile
from rankhub_use.reading import AHEAD, read_blocks


def photos(folder, count, side=20):
    files = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(np.full((side, side, 3), number, np.uint8)).save(path)
        files.append(NamedFile(path.name, str(path)))
    return files


def test_blocks_have_the_files_in_order_and_what_cannot_be_read_in_its_place(tmp_path):
    files = photos(tmp_path, 7)
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    files.insert(4, NamedFile("folder.png", str(tmp_path / "folder.png")))
    blocks = list(read_blocks(files, 3))
    assert [one for block in blocks for one in block.files] == files
    assert [len(block.files) for block in blocks] == [3, 3, 2]
    assert [int(image[0, 0, 0]) for block in blocks for image in block.images] == [0, 1, 3, 4, 5, 6]
    assert [(one.path, one.kind) for block in blocks for one in block.unread.values()] == [
        ("2.png", "broken"),
        ("folder.png", "unreadable"),
    ]
    assert blocks[0].unread[2].reason == "the file is empty"


def test_no_more_files_are_looked_at_than_are_wanted_soon(tmp_path):
    asked = []

    def many():
        for number in range(100_000):
            asked.append(number)
            yield NamedFile(str(number), str(tmp_path / "gone.png"))

    blocks = read_blocks(many(), 16)
    for wanted in (16, 32, 48):
        next(blocks)
        assert wanted <= len(asked) <= wanted + AHEAD * (os.cpu_count() or 1)
    blocks.close()


def test_large_images_make_small_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "ROOM", 1000)
    blocks = list(read_blocks(photos(tmp_path, 5), 4))  # of 400 pixels each
    assert [len(block.files) for block in blocks] == [2, 2, 1]


def test_what_pillow_says_of_a_large_image_is_not_shown_and_nothing_else_is_hushed(tmp_path, monkeypatch):
    files = photos(tmp_path, 2)  # of 400 pixels each
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with Image.open(files[0].path):
            pass
        assert [one.category for one in said] == [Image.DecompressionBombWarning], "Pillow does say it"
        (block,) = read_blocks(files, 4)
        assert len(block.images) == 2
        warnings.warn("of a plugin", stacklevel=1)
    assert [str(one.message) for one in said[1:]] == ["of a plugin"]


def test_progress_says_how_much_time_is_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(shell.time, "monotonic", lambda: now[0])
    text = io.StringIO()
    pace = shell.Pace(Talk(text), "predict", 1100, 100)
    for second, done in ((1, 110), (10, 200), (12, 220), (20, 300)):
        now[0] = second
        pace.at(done)
    assert text.getvalue().splitlines() == ["predict: 200/1,100, 90 s left", "predict: 300/1,100, 80 s left"]
    assert [shell.human_seconds(seconds) for seconds in (3, 300, 7500)] == ["3 s", "5 min", "2 h 05 min"]
