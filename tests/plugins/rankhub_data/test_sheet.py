"""Sheets of small pictures with captions, read off their pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import ImageFont

from rankhub_data.sheet import GAP, TEXT, Tile, _cut, draw_sheet, fitted

COLOURS = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
SIDE, LINE = 160, TEXT + 3
TOP = 2 * GAP + LINE
"""Below a title."""


def plain(number, height=SIDE, width=SIDE):
    return COLOURS[number % 3][:, None, None].expand(3, height, width)


def contact(title, tiles, columns=8):
    rows = [tiles[first : first + columns] for first in range(0, len(tiles), columns)]
    return np.asarray(draw_sheet(rows, title, SIDE))


def tile(number, *captions, height=SIDE, width=SIDE):
    return Tile(fitted(plain(number, height, width), SIDE), captions)


def cell(sheet, number, columns=8):
    """The place of an image's picture on the sheet."""
    row, column = divmod(number, columns)
    left, top = GAP + column * (SIDE + GAP), TOP + row * (SIDE + 2 * LINE + GAP)
    return sheet[top : top + SIDE, left : left + SIDE]


def test_images_stand_in_rows():
    sheet = contact("Eleven images", [tile(n, f"{n + 1}", f"images/{n}.png") for n in range(11)])
    assert sheet.dtype == np.uint8
    assert sheet.shape == (TOP + 2 * (SIDE + 2 * LINE + GAP), GAP + 8 * (SIDE + GAP), 3)
    for number in range(11):
        assert (cell(sheet, number) == COLOURS[number % 3].numpy()).all()
    assert (cell(sheet, 11) == 255).all()


@pytest.mark.parametrize(
    ("height", "width", "shown"), [(80, 320, (40, 160)), (320, 80, (160, 40)), (8, 8, (160, 160)), (1, 900, (1, 160))]
)
def test_an_image_keeps_its_shape_and_stands_on_the_line(height, width, shown):
    sheet = contact("x", [tile(0, "1", "a.png", height=height, width=width)])
    red = (cell(sheet, 0, 1) == COLOURS[0].numpy()).all(-1)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert (len(rows), len(columns)) == shown
    assert rows[-1] == SIDE - 1
    assert abs(columns[0] - (SIDE - 1 - columns[-1])) <= 1


def test_captions_stand_below_their_image_and_end_with_it():
    names = ("a.png", "folder/" * 40 + "a.png")
    short, long = (contact("x", [tile(0, "7", name), tile(0, "", "")]) for name in names)
    for sheet in (short, long):
        below = sheet[TOP + SIDE : TOP + SIDE + 2 * LINE]
        assert (below[:, GAP : GAP + SIDE] < 200).any()
        assert (below[:, :GAP] == 255).all()
        assert (below[:, GAP + SIDE + 2 :] == 255).all()
    assert (short != long).any()


def test_of_a_caption_that_is_cut_the_end_stays():
    shown = _cut("holiday/2019/img_0042.jpg", ImageFont.load_default(TEXT), 100)
    begin, _, end = shown.partition("…")
    assert "holiday/2019/img_0042.jpg".startswith(begin)
    assert "holiday/2019/img_0042.jpg".endswith(end)
    assert len(end) > len(begin) > 0
    assert _cut("img.jpg", ImageFont.load_default(TEXT), 100) == "img.jpg"


def test_a_long_title_is_not_cut():
    short, long = (
        contact("x", [tile(0, "1", "a.png")]),
        contact("Round 1: by an acquirer " * 5, [tile(0, "1", "a.png")]),
    )
    assert long.shape[1] > short.shape[1] == SIDE + 2 * GAP
    assert (long[:, -GAP:] == 255).all()


def test_a_sheet_without_images_is_a_title():
    assert contact("no images", []).shape[0] == TOP


def test_columns_are_as_wide_as_their_captions_where_no_side_is_given():
    font = ImageFont.load_default(TEXT)
    words = ("a caption much wider than its picture", "b")
    sheet = draw_sheet([[Tile(None, ("title",)), None, *(Tile(fitted(plain(0), 20), (text,)) for text in words)]])
    wide = [int(font.getlength(text)) + 1 for text in ("title", words[0])]
    assert sheet.width == GAP + sum(width + GAP for width in (*wide, 20))
    red = (np.asarray(sheet) == COLOURS[0].numpy()).all(-1).any(0)
    starts = np.flatnonzero(np.diff(red.astype(int)) == 1) + 1
    assert starts.tolist() == [2 * GAP + wide[0] + (wide[1] - 20) // 2, 3 * GAP + sum(wide)]


@pytest.mark.parametrize(("given", "shown"), [(500, 90), (60, 60), (10, 30)])
def test_a_picture_is_brought_between_two_sides(given, shown):
    assert max(fitted(plain(0, given, given // 2), 90, 30).size) == shown


def test_small_pictures_grow_pixel_by_pixel():
    image = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).expand(3, 2, 2)
    assert set(np.unique(np.asarray(fitted(image, 8)))) == {0, 255}
