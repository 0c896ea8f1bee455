"""Sheets of what was found: a query with its nearest images, a group of images that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rankhub import UserError
from rankhub.interfaces.files import readable, whole
from rankhub_data.given_images import AS_IS, pixels
from rankhub_data.sheet import Tile, draw_sheet, fitted
from rankhub_listing.formats import learn_formats

_SIDE = 112


def write_sheet(path: Path, rows: Sequence[Sequence[tuple[str, str]]], title: str) -> None:
    """A PNG of rows of (image file, words below it); a file that is gone is a tile without picture."""
    learn_formats()
    tiles = [[_tile(file, words) for file, words in row] for row in rows]
    with whole(path) as beside:
        draw_sheet(tiles, readable(title), side=_SIDE).save(beside, "PNG")


def _tile(file: str, words: str) -> Tile:
    name = readable(Path(file).name)
    try:
        image = fitted(torch.from_numpy(pixels(file, "it", AS_IS)), _SIDE)
    except UserError:
        image = Image.fromarray(np.full((_SIDE, _SIDE, 3), 235, np.uint8))
        words = f"{words} not there".strip()
    return Tile(image, (words, name))
