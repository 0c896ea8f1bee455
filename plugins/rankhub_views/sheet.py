"""Draws the views of one image in lines of equal group, ordered by level, and where they lie in the image."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.generator import ViewSpec
from rankhub_data import sheet
from rankhub_data.sheet import Tile

COLUMNS = 12
"""Views in a line; a group with more goes on in the next line."""

_INK = (20, 20, 20)
_SOURCE = "where they lie"
_FRAME, _CASING = 2, 1
"""Pixels of a coloured line, and of the dark line on its inner side that sets it off from the picture."""

Level = tuple[float, ...]
Corners = npt.NDArray[np.float64]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """A view on the sheet.

    Attributes:
        picture: Its pixels.
        caption: Its level, or its number.
        column: Where in its line it stands.
        corners: [4, 2] x and y of its corners in the image it is made from; None where its map cannot be inverted.
    """

    picture: Image.Image
    caption: str
    column: int
    corners: Corners | None = None


def draw_sheet(batch: Batch, spec: ViewSpec, side: int, source: Tensor) -> Image.Image:
    """The views of one image as a picture.

    Where views are parts of the image, each line begins with the image itself, on which they are outlined, each in the
    colour of its frame.

    ``batch``: all views of the image, floats in [0, 1]; those with a longer side than ``side`` pixels are reduced to
    it.
    """
    whole = Image.fromarray(source.permute(1, 2, 0).cpu().numpy())
    rows: list[list[Tile | None]] = []
    for title, cells in _lines(batch, spec, side):
        shown, outlined = _outlined(cells, whole, side)
        row = [Tile(None, (title,)), None if outlined is None else Tile(outlined, (_SOURCE,)), *[None] * COLUMNS]
        for cell in shown:
            row[2 + cell.column] = Tile(cell.picture, (cell.caption,))
        rows.append(row)
    return sheet.draw_sheet(rows)


def _lines(batch: Batch, spec: ViewSpec, side: int) -> Iterator[tuple[str, list[Cell]]]:
    """Title and cells of each line."""
    pictures = [(picture.clamp(0, 1) * 255).round().byte() for stack in batch.images for picture in stack]
    kinds, numbers = batch.target.kind, batch.target.view.tolist()
    groups = batch.target.group.tolist() if kinds is None else kinds.tolist()
    levels: list[Level] = [tuple(row) for row in batch.target.level.reshape(len(batch), -1).tolist()]
    ranked = spec.levels != "equal"
    for group in sorted(set(groups)):
        rows = [row for row, its in enumerate(groups) if its == group]
        if ranked:
            rows.sort(key=lambda row: ([-column for column in levels[row]], numbers[row]))
        columns = (
            _columns([levels[row] for row in rows], sorted(set(levels), reverse=True)) if ranked else range(len(rows))
        )
        cells: list[Cell] = []
        for row, column in zip(rows, columns, strict=True):
            height, width = batch.sizes[row].tolist()
            caption = f"level {_number(levels[row])}" if ranked else f"view {numbers[row]}"
            picture = sheet.fitted(pictures[row][:, :height, :width], side, 0)
            cells.append(Cell(picture, caption, column, _corners(batch.maps[row].numpy(), height, width)))
        title = spec.kinds[group] if group < len(spec.kinds) else (f"group {group}" if spec.groups > 1 else "")
        for first in range(0, max(columns) + 1, COLUMNS):
            part = [replace(c, column=c.column - first) for c in cells if 0 <= c.column - first < COLUMNS]
            if part:
                yield (title if first == 0 else ""), part


def _columns(own: Sequence[Level], everywhere: Sequence[Level]) -> Sequence[int]:
    """The column of each view: that of its level, where all levels have room and no two views share one."""
    if len(everywhere) > COLUMNS or len(set(own)) < len(own):
        return range(len(own))
    return [everywhere.index(level) for level in own]


def _number(level: Level) -> str:
    texts = [f"{column:.3g}" for column in level]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


def _corners(move: Corners, height: int, width: int) -> Corners | None:
    """The corners of a view of this size in the source, given the 2x3 map from the source to it."""
    if abs(np.linalg.det(move[:, :2])) < 1e-12:
        return None
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    return np.asarray(np.linalg.solve(move[:, :2], (corners - move[:, 2]).T).T)


def _outlined(cells: Sequence[Cell], source: Image.Image, side: int) -> tuple[Sequence[Cell], Image.Image | None]:
    """The cells framed, and the source with their outlines; the cells as they are, if each shows the whole source."""
    width, height = source.size
    if all(cell.corners is None or _is_whole(cell.corners, height, width) for cell in cells):
        return cells, None
    colours = _colours(len(cells))
    framed = [replace(cell, picture=ImageOps.expand(cell.picture, _FRAME, colours[n])) for n, cell in enumerate(cells)]
    tallest = max(cell.picture.height for cell in framed)
    zoom = min(max(side / max(height, width), tallest / height), 2 * side / width)
    picture = sheet.scaled(source, zoom)
    pen = ImageDraw.Draw(picture)
    # All dark lines first, so that none lies on the colour of another.
    for inks, thickness in (([_INK] * len(cells), _FRAME + _CASING), (colours, _FRAME)):
        for cell, ink in zip(cells, inks, strict=True):
            if cell.corners is not None:
                pen.polygon(_path(cell.corners * zoom, picture.size), outline=ink, width=thickness)
    return framed, picture


def _is_whole(corners: Corners, height: int, width: int) -> bool:
    low, high = corners.min(axis=0), corners.max(axis=0)
    return bool(np.abs(low).max() < 0.5 and np.abs(high - (width, height)).max() < 0.5)


def _colours(count: int) -> list[Colour]:
    """So many bright colours from red over green to violet."""
    hues = np.linspace(0, 0.8, count) if count > 1 else [0.0]
    bright = (colorsys.hsv_to_rgb(float(hue), 0.75, 1.0) for hue in hues)
    return [(round(red * 255), round(green * 255), round(blue * 255)) for red, green, blue in bright]


def _path(corners: Corners, size: tuple[int, int]) -> list[tuple[float, float]]:
    """The corners by number of pixel; those outside the picture are moved to its edge."""
    inside = np.clip(corners - 0.5, 0, np.array(size) - 1)
    return [(float(x), float(y)) for x, y in inside]
