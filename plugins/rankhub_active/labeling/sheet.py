"""A contact sheet: images to label in small, the most wanted first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

SIDE, COLUMNS, GAP, TEXT, MARGIN = 160, 8, 10, 15, 16
MOST = 400
"""Images on a sheet; more would be too small a part of a round to look at one by one anyway."""

_PAPER, _INK, _FAINT = (255, 255, 255), (30, 30, 30), (110, 110, 110)


def contact_sheet(
    title: str, image_of: Callable[[int], Tensor], texts: Sequence[tuple[str, str]]
) -> npt.NDArray[np.uint8]:
    """Images in rows of eight, each with two lines below it.

    Args:
        title: Stands above them.
        image_of: Number of an image -> [3, H, W] uint8.
        texts: Of each image, two lines; cut where they are too long. Images beyond :data:`MOST` are left out.

    Returns:
        [H, W, 3] uint8.
    """
    font, small = ImageFont.load_default(TEXT), ImageFont.load_default(TEXT - 3)
    shown = texts[:MOST]
    columns = max(1, min(COLUMNS, len(shown)))
    cell = SIDE + 2 * TEXT + GAP
    height = 2 * MARGIN + 2 * TEXT + cell * -(-len(shown) // columns)
    width = max(2 * MARGIN + columns * (SIDE + GAP) - GAP, 2 * MARGIN + int(font.getlength(title)) + 1)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, _INK, font)
    for number, (first, second) in enumerate(shown):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (SIDE + GAP), MARGIN + 2 * TEXT + row * cell
        picture = _reduced(image_of(number))
        sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + SIDE - picture.height))
        draw.text((left, top + SIDE + 1), _cut(first, font), _INK, font)
        draw.text((left, top + SIDE + 1 + TEXT), _cut(second, small), _FAINT, small)
    return np.asarray(sheet)


def _reduced(image: Tensor) -> Image.Image:
    picture = Image.fromarray(image.permute(1, 2, 0).cpu().numpy())
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The end of a text that is too long for its image, since names differ at their end."""
    while len(text) > 1 and font.getlength(text) > SIDE:
        text = "…" + text[2:]
    return text
