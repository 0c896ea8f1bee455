"""The files among images that were given: decoded once for all, as those of a folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.errors import UserError
from rankhub_data.given_images import GivenItems
from rankhub_data.reading import Folder, Sizes, read_folder
from rankhub_listing.files import ImageFile, ImageFiles
from rankhub_listing.scan import Listing


def read_files(items: GivenItems, context: OpenContext) -> tuple[Folder, Sizes] | None:
    """Decode what are files, unless they were in this process or an earlier run; one that is named twice once.

    Returns:
        Their common folder, as it was read, and [n] of each image that was given its row in it, -1 where it is no file;
        None if none is.

    Raises:
        UserError: One cannot be read, or the cache cannot be written.
    """
    paths = {number: os.path.abspath(Path(path).expanduser()) for number, path in enumerate(items.paths) if path}
    if not paths:
        return None
    position = {path: number for number, path in enumerate(dict.fromkeys(paths.values()))}
    root = Path(os.path.commonpath([os.path.dirname(path) for path in position]))
    resize, max_side = items.limits
    listing = Listing(ImageFiles.of(_file(path, root) for path in position))
    folder = read_folder(root, listing, resize, context, keep=False, max_side=max_side)
    row_of = {int(number): row for row, number in enumerate(folder.decoded.facts.rows)}
    rows = np.full(len(items), -1, dtype=np.int64)
    for number, path in paths.items():
        if position[path] not in row_of:
            items.pixels(number)  # says what is wrong with it
            raise UserError(f"{items.name(number)} could not be read; now it can: begin again")
        rows[number] = row_of[position[path]]
    return folder, rows


def _file(path: str, root: Path) -> ImageFile:
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    return ImageFile(os.path.relpath(path, root).replace(os.sep, "/"), status.st_size, status.st_mtime_ns)
