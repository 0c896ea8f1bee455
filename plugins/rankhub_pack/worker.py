"""One image at a time as a row of a table; what spawned processes and threads do while a table is packed."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from rankhub_data.decode import Pixels, UndecodableError, decode, from_pil
from rankhub_listing.files import UnusedImage, unreadable
from rankhub_listing.formats import learn_formats

Row = dict[str, Any]
"""Columns of one row, without ``split`` and labels."""


@dataclass(frozen=True)
class FileTask:
    """Files that become rows together.

    Attributes:
        root: The folder.
        paths: Of the files below it.
        resize: Shorter side of the pixels that are kept; None = files are kept as they are.
    """

    root: str
    paths: Sequence[str]
    resize: int | None

    def __call__(self) -> list[Row | UnusedImage]:
        """A row of each file, or why there is none."""
        learn_formats()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files; what matters is reported
            return [self._row(path) for path in self.paths]

    def _row(self, path: str) -> Row | UnusedImage:
        try:
            with open(f"{self.root}/{path}", "rb") as file:
                content = file.read()
            pixels = decode(content, os.path.splitext(path)[1].lower(), self.resize)[0]
        except (OSError, MemoryError) as error:
            return unreadable(path, error)
        except UndecodableError as error:
            return error.at(path)
        return row_of(path, pixels, None if self.resize is not None else content)


def row_of(name: str, pixels: Pixels, content: bytes | None) -> Row:
    """A row of an image: the file ``content`` if that gives these pixels by itself, else a PNG of them.

    Args:
        name: What it is called.
        pixels: [3, H, W] uint8.
        content: The file; None = the pixels are kept as they are.
    """
    height, width = pixels.shape[1:]
    kept = pixels.tobytes() if content is None else content if gives(content, pixels) else as_png(pixels)
    digest = hashlib.blake2b(kept + b"()", digest_size=8).digest()  # as a folder's files have it
    sizes = {"height": height, "width": width}
    return {"id": name, "image": kept, **sizes, "digest": int.from_bytes(digest, "big")}


def gives(content: bytes, pixels: Pixels) -> bool:
    """Whether a file gives these pixels without its name."""
    try:
        return np.array_equal(decode(content)[0], pixels)
    except UndecodableError:
        return False


def as_png(pixels: Pixels) -> bytes:
    """[3, H, W] as a file from which the same pixels come back."""
    file = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(file, "PNG", compress_level=1)
    return file.getvalue()


def row_of_sample(name: str, sample: Any, resize: int | None) -> Row:
    """A row of an image of a data set: its file where that gives the same pixels, with its points and facts."""
    pixels, points = sample.image.numpy(), None
    if isinstance(sample.label, np.ndarray):
        points = np.full((len(sample.label), 3), np.nan)
        points[:, : sample.label.shape[1]] = sample.label
    if resize is not None:
        before = np.array(pixels.shape[:0:-1], dtype=np.float64)
        pixels = from_pil(Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))), resize)
        factor = np.array(pixels.shape[:0:-1], dtype=np.float64) / before
        if points is not None:
            points *= [*factor, np.sqrt(factor.prod())]
        content: bytes | None = None
    else:
        content = b""
        if sample.path is not None and os.path.isfile(sample.path):
            content = sample.path.read_bytes()
    row = row_of(name, pixels, content)
    if points is not None:
        row |= {"points": points.ravel(), "label": len(points)}
    return row | facts_of(sample.meta)


def facts_of(meta: Mapping[str, Any]) -> Row:
    """The facts of a sample that can be written down."""
    kept = {}
    for name, value in meta.items():
        plain = value.item() if isinstance(value, np.generic) else value
        if isinstance(plain, str | int | float | bool):
            kept[name] = plain
    return {"meta": json.dumps(kept) if kept else None}
