"""What the neighbour sheet shows, read off its pixels."""

from __future__ import annotations

import numpy as np
import torch

from rankhub_retrieval.sheet import Tile, draw, neighbour_sheet
from rankhub_retrieval.sides import Side, make_task


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
        left, top = 6 + column * 84 + 6 * (column > 0), 6 + row * 97
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
    assert sheet.shape[0] == 6 + 2 * 97  # two images, so two rows


def test_images_of_any_shape_fit_their_tile():
    shapes = [(1, 1), (1, 400), (400, 1), (96, 64), (5, 72)]
    tiles = [Tile(torch.full((3, *shape), 128, dtype=torch.uint8), "a long class name", (0, 0, 0)) for shape in shapes]
    sheet = draw([tiles, tiles[:2]])
    for column, (height, width) in enumerate(shapes):
        left = 6 + column * 84 + 6 * (column > 0)
        tile = sheet[6 + 3 : 6 + 75, left + 3 : left + 75, 0]
        shown = np.argwhere(tile == 128)
        assert ((tile == 128) | (tile == 255)).all()
        assert max(np.ptp(shown, axis=0)) == 71  # the longer side fills the tile
        expected = [max(1, round(72 * side / max(height, width))) for side in (height, width)]
        assert (np.ptp(shown, axis=0) + 1).tolist() == expected
    assert (sheet[:, :6] == 255).all()
