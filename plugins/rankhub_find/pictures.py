"""Sheets of what was found: a query with its nearest images, a group of images that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rankhub import UserError
from rankhub.interfaces.files import readable, whole
from rankhub_data.decode import Pixels
from rankhub_data.sheet import Tile, draw_sheet, fitted
from rankhub_listing.files import UnusedImage
from rankhub_listing.formats import learn_formats
from rankhub_use.named import NamedFile
from rankhub_use.placed import Places
from rankhub_use.reading import read_image

_SIDE = 112


def write_sheet(path: Path, rows: Sequence[Sequence[tuple[str, str]]], title: str) -> None:
    """A PNG of rows of (where an image is, words below it); an image that is gone is a tile without picture."""
    learn_formats()
    images = _Images()
    tiles = [[_tile(images, name, words) for name, words in row] for row in rows]
    with whole(path) as beside:
        draw_sheet(tiles, readable(title), side=_SIDE).save(beside, "PNG")


class _Images:
    """Images by where they are, of files and of places, each of which is opened once."""

    def __init__(self) -> None:
        self._places = Places()
        self._away: set[str] = set()

    def pixels(self, name: str) -> Pixels | None:
        """[3, H, W] uint8 of an image; None where it cannot be read. A place that fails is not asked again."""
        try:
            found = self._places.images(name, named=True, strict=False)
        except UserError:
            return None
        file = found[0] if found is not None and len(found) == 1 else NamedFile(name, name)
        uri = "" if file.place is None else file.place.uri
        if uri in self._away:
            return None
        try:
            image = read_image(file)
        except UserError:
            self._away.add(uri)
            return None
        return None if isinstance(image, UnusedImage) else image[0]


def _tile(images: _Images, name: str, words: str) -> Tile:
    found, caption = images.pixels(name), readable(Path(name).name)
    if found is None:
        blank = Image.fromarray(np.full((_SIDE, _SIDE, 3), 235, np.uint8))
        return Tile(blank, (f"{words} not there".strip(), caption))
    return Tile(fitted(torch.from_numpy(found), _SIDE), (words, caption))
