"""Draws the views of one image in lines of equal group, ordered by level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.generator import ViewSpec

COLUMNS = 12
"""Views in a line; a group with more goes on in the next line."""

_GAP, _TEXT, _INK, _PAPER = 6, 13, (20, 20, 20), (255, 255, 255)

Level = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A view on the sheet.

    Attributes:
        picture: Its pixels.
        caption: Its level, or its number.
        column: Where in its line it stands.
    """

    picture: Image.Image
    caption: str
    column: int


def draw_sheet(batch: Batch, spec: ViewSpec, side: int) -> Image.Image:
    """The views of one image as a picture.

    Args:
        batch: All views of the image, floats in [0, 1].
        spec: What they are: with levels, each column has one; the groups' names stand before their lines.
        side: Views with a longer side are reduced to it; pixels.
    """
    lines = list(_lines(batch, spec, side))
    font = ImageFont.load_default(_TEXT)
    wide = max(cell.picture.width for _, cells in lines for cell in cells)
    captions = max(_length(font, cell.caption) for _, cells in lines for cell in cells)
    margin = max(_length(font, title) for title, _ in lines)
    margin += 2 * _GAP if margin else _GAP
    pitch = max(wide, captions) + _GAP
    columns = max(cell.column for _, cells in lines for cell in cells) + 1
    heights = [max(cell.picture.height for cell in cells) + _TEXT + 2 * _GAP for _, cells in lines]
    sheet = Image.new("RGB", (margin + columns * pitch, sum(heights) + _GAP), _PAPER)
    pen, top = ImageDraw.Draw(sheet), _GAP
    for (title, cells), height in zip(lines, heights, strict=True):
        pen.text((_GAP, top + _TEXT + 3), title, _INK, font)
        for cell in cells:
            left = margin + cell.column * pitch
            pen.text((left, top), cell.caption, _INK, font)
            sheet.paste(cell.picture, (left, top + _TEXT + 3))
        top += height
    return sheet


def _lines(batch: Batch, spec: ViewSpec, side: int) -> Iterator[tuple[str, list[Cell]]]:
    """Title and cells of each line."""
    pictures = [picture for stack in batch.images for picture in stack.permute(0, 2, 3, 1).cpu().numpy()]
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
        cells = []
        for row, column in zip(rows, columns, strict=True):
            height, width = batch.sizes[row].tolist()
            caption = f"level {_number(levels[row])}" if ranked else f"view {numbers[row]}"
            cells.append(Cell(_reduced(pictures[row][:height, :width], side), caption, column))
        title = spec.kinds[group] if group < len(spec.kinds) else (f"group {group}" if spec.groups > 1 else "")
        for first in range(0, max(columns) + 1, COLUMNS):
            part = [Cell(c.picture, c.caption, c.column - first) for c in cells if 0 <= c.column - first < COLUMNS]
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


def _length(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> int:
    return int(np.ceil(font.getlength(text)))


def _reduced(pixels: np.ndarray, side: int) -> Image.Image:
    picture = Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture
