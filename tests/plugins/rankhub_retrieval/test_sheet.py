"""What the neighbour sheet shows, read off its pixels."""

from __future__ import annotations

import numpy as np
import torch

from rankhub_data.sheet import GAP, TEXT, draw_sheet
from rankhub_retrieval.sheet import _framed, neighbour_sheet
from rankhub_retrieval.sides import Side, make_task

TILE, ROW = 78 + GAP, 78 + TEXT + 3 + GAP
"""Pixels from one tile, and from one row, to the next."""


def plain(value: int) -> torch.Tensor:
    """An image of one grey."""
    return torch.full((3, 10, 10), value, dtype=torch.uint8)


def side(features, ids, images) -> Side:
    unit = np.asarray(features, np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return Side("data", unit, np.asarray(ids), np.asarray(images))


def cells(sheet: np.ndarray, row: int, count: int) -> list[tuple[int, str]]:
    """Grey and frame (right, wrong, none) of each tile of a row."""
    found = []
    for column in range(count):
        left, top = GAP + column * TILE, GAP + row * ROW
        red, green, blue = (int(v) for v in sheet[top, left])
        frame = "none" if red == green == blue else "right" if green > red else "wrong"
        found.append((int(sheet[top + 39, left + 39, 0]), frame))
    return found


def test_neighbours_stand_in_order_with_their_frames():
    gallery = side([[1, 0.0], [1, 0.1], [1, 0.2], [1, 0.3]], [0, 1, 0, 1], [0, 1, 2, 3])
    queries = side([[1.0, 0.0]], [0], [0])
    sheet = neighbour_sheet(make_task(queries, gallery), lambda i: plain(200), lambda i: plain(10 * i), neighbours=3)
    assert cells(sheet, 0, 4) == [(200, "none"), (0, "right"), (10, "wrong"), (20, "right")]


def test_a_query_in_the_gallery_is_left_out_and_an_image_shows_once():
    views = side([[1, 0.0], [1, 0.1], [1, 0.2], [1, 0.3], [1, 0.4]], [5, 5, 7, 7, 5], [5, 5, 7, 7, 5])
    sheet = neighbour_sheet(make_task(views, views), lambda i: plain(i), lambda i: plain(i), neighbours=8)
    rows = sorted([cells(sheet, 0, 3), cells(sheet, 1, 3)])
    assert rows[0][0] == (5, "none")
    assert {rows[0][1], rows[0][2]} == {(5, "right"), (7, "wrong")}
    assert rows[1][0] == (7, "none")
    assert {rows[1][1], rows[1][2]} == {(7, "right"), (5, "wrong")}
    assert sheet.shape[0] == GAP + 2 * ROW  # two images, so two rows


def test_images_of_any_shape_fit_their_tile():
    shapes = [(1, 1), (1, 400), (400, 1), (96, 64), (5, 72)]
    images = [torch.full((3, *shape), 128, dtype=torch.uint8) for shape in shapes]
    tiles = [_framed(image, (0, 0, 0), "a long class name") for image in images]
    sheet = np.asarray(draw_sheet([tiles, tiles[:2]], side=78))
    for column, (height, width) in enumerate(shapes):
        left = GAP + column * TILE
        tile = sheet[GAP + 3 : GAP + 75, left + 3 : left + 75, 0]
        shown = np.argwhere(tile == 128)
        assert ((tile == 128) | (tile == 255)).all()
        assert max(np.ptp(shown, axis=0)) == 71  # the longer side fills the tile
        expected = [max(1, round(72 * side / max(height, width))) for side in (height, width)]
        assert (np.ptp(shown, axis=0) + 1).tolist() == expected
    assert (sheet[:, :GAP] == 255).all()
