"""Photos of two classes in a folder, and how they are packed."""

from __future__ import annotations

import numpy as np
from PIL import Image

from rankhub import Talk
from rankhub_lance import Store
from rankhub_pack.packing import Packing
from rankhub_pack.sources import FolderSource


def write_photos(root, start, stop, side=16):
    """JPEGs that are all different, the odd ones one pixel wider."""
    for number in range(start, stop):
        pixels = np.random.default_rng(number).integers(0, 256, (side, side + number % 2, 3), np.uint8)
        folder = root / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number:03d}.jpg")


def pack_folder(root, to, *, options=None, split="train", resize=None, classes=True, portion_rows=10, **how):
    """Pack a folder, in portions so small that there are several."""
    source = FolderSource(root, classes=classes, resize=resize)
    return Packing(source, Store.of(to, options, 20.0), split, "", 1, portion_rows).run(Talk(), **how)


def rewritten(table, change):
    """Put rows in the place of a table's: what ``change`` makes of them as dictionaries."""
    import lance
    import pyarrow as pa

    known = lance.dataset(str(table)).to_table()
    changed = pa.Table.from_pylist(change(known.to_pylist()), schema=known.schema)
    lance.write_dataset(changed, str(table), mode="overwrite")


def break_row(table, row):
    """Let a row of a table hold no image."""
    rewritten(table, lambda rows: [one | ({"image": b"no image"} if at == row else {}) for at, one in enumerate(rows)])
