"""Sheets of small pictures in rows and columns, each with a few words below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

GAP, TEXT = 10, 12
_PAPER, _INKS = (255, 255, 255), ((30, 30, 30), (110, 110, 110))


class Tile(NamedTuple):
    """A place on a sheet.

    Attributes:
        picture: What is there; None = only words, in the middle of the row's pictures.
        captions: Up to two lines below it, the second one faint.
    """

    picture: Image.Image | None
    captions: Sequence[str] = ()


def fitted(image: Tensor, most: int, least: int | None = None) -> Image.Image:
    """An image [3, H, W] uint8 whose longer side is brought to ``most`` pixels, or between ``least`` and these."""
    picture = Image.fromarray(image.detach().permute(1, 2, 0).contiguous().cpu().numpy())
    longer = max(picture.size)
    return scaled(picture, min(max(longer, most if least is None else least), most) / longer)


def scaled(picture: Image.Image, scale: float) -> Image.Image:
    """A picture in another size; one that grows to twice its size or more shows its pixels as squares."""
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS)


def draw_sheet(rows: Sequence[Sequence[Tile | None]], title: str = "", side: int = 0) -> Image.Image:
    """Tiles in rows. The pictures of a row stand on one line, each in the middle of its column; None leaves a gap.

    Columns are as wide as their widest picture or caption. Where ``side`` is given, the least width and height of
    pictures, captions are cut to that width: within, and of their end more is kept, where paths differ.
    """
    fonts = [ImageFont.load_default(size) for size in (TEXT, TEXT - 1)]
    tiles = [(column, tile) for row in rows for column, tile in enumerate(row) if tile is not None]
    widths = [0] * max(map(len, rows), default=0)
    for column, (picture, captions) in tiles:
        words = () if side else (int(font.getlength(text)) + 1 for text, font in zip(captions, fonts, strict=False))
        widths[column] = max(widths[column], side, picture.width if picture else 0, *words)
    heights = [max([side, *(tile.picture.height for tile in row if tile and tile.picture)]) for row in rows]
    line = TEXT + 3
    words_high = line * max((len(tile.captions) for _, tile in tiles), default=0)
    head = GAP + (line + GAP) * bool(title)
    width = max(sum(wide + GAP for wide in widths if wide), int(fonts[0].getlength(title)) + 1 + GAP) + GAP
    sheet = Image.new("RGB", (width, head + sum(high + words_high + GAP for high in heights)), _PAPER)
    pen, top = ImageDraw.Draw(sheet), head
    pen.text((GAP, GAP), title, _INKS[0], fonts[0])
    for row, high in zip(rows, heights, strict=True):
        left = GAP
        for tile, wide in zip(row, widths, strict=False):
            if tile is not None:
                below = top + high + 2 if tile.picture else top + (high - line) // 2
                if tile.picture:
                    place = (left + (wide - tile.picture.width) // 2, top + high - tile.picture.height)
                    sheet.paste(tile.picture, place)
                for text, ink, font in zip(tile.captions, _INKS, fonts, strict=False):
                    pen.text((left + wide / 2, below), _cut(text, font, wide), ink, font, anchor="ma")
                    below += line
            left += wide + GAP * bool(wide)
        top += high + words_high + GAP
    return sheet


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    shown, kept = text, len(text)
    while kept > 3 and font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: kept // 3]}…{text[kept // 3 - kept :]}"
    return shown
