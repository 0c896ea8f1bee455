"""The contact sheet."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rankhub_active.labeling import handout as module
from rankhub_active.labeling.handout import contact_sheet

COLOURS = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)


def plain(number, height=160, width=160):
    return COLOURS[number % 3][:, None, None].expand(3, height, width)


def cell(sheet, number, columns=8):
    """The place of an image's picture on the sheet."""
    row, column = divmod(number, columns)
    left, top = 16 + column * 170, 46 + row * 200
    return sheet[top : top + 160, left : left + 160]


def test_images_stand_in_rows_of_eight(tmp_path):
    sheet = contact_sheet("Eleven images", plain, [(f"{n + 1}", f"images/{n}.png") for n in range(11)])
    assert sheet.dtype == np.uint8
    assert sheet.shape == (2 * 16 + 30 + 2 * 200, 2 * 16 + 8 * 170 - 10, 3)
    for number in range(11):
        assert (cell(sheet, number) == COLOURS[number % 3].numpy()).all()
    assert (cell(sheet, 11) == 255).all()
    Image.fromarray(sheet).save(tmp_path / "sheet.png")


@pytest.mark.parametrize(
    ("height", "width", "shown"), [(80, 320, (40, 160)), (320, 80, (160, 40)), (8, 8, (160, 160)), (1, 900, (1, 160))]
)
def test_an_image_keeps_its_shape_and_stands_on_the_line(height, width, shown):
    sheet = contact_sheet("x", lambda number: plain(number, height, width), [("1", "a.png")])
    red = (cell(sheet, 0, 1) == COLOURS[0].numpy()).all(-1)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert (len(rows), len(columns)) == shown
    assert rows[-1] == 159
    assert abs(columns[0] - (159 - columns[-1])) <= 1


def test_texts_stand_below_their_image_and_end_with_it():
    short, long = (contact_sheet("x", plain, [("7", name), ("", "")]) for name in ("a.png", "folder/" * 40 + "a.png"))
    for sheet in (short, long):
        below = sheet[46 + 160 : 46 + 195]
        assert (below[:, 16 : 16 + 162] < 200).any()
        assert (below[:, 16 + 164 :] == 255).all()
    assert (short != long).any()


def test_a_long_title_is_not_cut():
    texts = [("1", "a.png")]
    short, long = contact_sheet("x", plain, texts), contact_sheet("Round 1: by an acquirer " * 5, plain, texts)
    assert long.shape[1] > short.shape[1] == 192
    assert (long[:, -16:] == 255).all()


def test_more_images_than_a_sheet_holds_are_left_out(monkeypatch):
    monkeypatch.setattr(module, "MOST", 3)
    assert contact_sheet("x", plain, [("", "")] * 5).shape[1] == 2 * 16 + 3 * 170 - 10


def test_a_sheet_without_images_is_a_title():
    assert contact_sheet("no images", plain, []).shape[0] == 62
