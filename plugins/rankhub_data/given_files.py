"""The files among images that were given: decoded once for all, as those of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.errors import UserError
from rankhub_data.folder_report import remarked
from rankhub_data.given_images import GivenItems
from rankhub_data.reading import Folder, read_folder
from rankhub_data.scan import ImageFile, Listing

Sizes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GivenFiles:
    """Files that were decoded.

    Attributes:
        folder: Their common one, as it was read.
        rows: [n] of each image that was given its row in the folder; -1 = it is no file.
    """

    folder: Folder
    rows: Sizes

    def __contains__(self, number: int) -> bool:
        return bool(self.rows[number] >= 0)

    def image(self, number: int) -> Tensor:
        """[3, H, W] uint8; not copied where it lies in memory."""
        return self.folder.decoded.images[int(self.rows[number])]

    def size(self, number: int, *, shrunk: bool) -> tuple[int, int]:
        """Height and width, as it is served or as it was before it was shrunk."""
        facts = self.folder.decoded.facts
        height, width = (facts.shapes if shrunk else facts.sources)[int(self.rows[number])].tolist()
        return height, width

    def digest(self, number: int) -> int:
        """A hash of the file."""
        return int(self.folder.decoded.facts.file_digests[int(self.rows[number])])

    def notes(self) -> Iterator[str]:
        """What is worth telling of them."""
        yield from remarked(self.folder.decoded.facts.remarks)
        if self.folder.cached is not None:
            yield f"decoded images are kept in {self.folder.cached}, which may be deleted at any time"


def read_files(items: GivenItems, context: OpenContext) -> GivenFiles | None:
    """Decode what are files, unless they were in this process or an earlier run; one that is named twice once.

    Returns:
        None if none is.

    Raises:
        UserError: One cannot be read, or the cache cannot be written.
    """
    paths = {number: os.path.abspath(Path(path).expanduser()) for number, path in enumerate(items.paths) if path}
    if not paths:
        return None
    position = {path: number for number, path in enumerate(dict.fromkeys(paths.values()))}
    root = Path(os.path.commonpath([os.path.dirname(path) for path in position]))
    folder = read_folder(
        root,
        Listing([_file(path, root) for path in position]),
        items.limits[0],
        context,
        keep=False,
        max_side=items.limits[1],
    )
    row_of = {int(number): row for row, number in enumerate(folder.decoded.facts.rows)}
    rows = np.full(len(items), -1, dtype=np.int64)
    for number, path in paths.items():
        if position[path] not in row_of:
            items.pixels(number)  # says what is wrong with it
            raise UserError(f"{items.name(number)} could not be read; now it can: begin again")
        rows[number] = row_of[position[path]]
    return GivenFiles(folder, rows)


def _file(path: str, root: Path) -> ImageFile:
    try:
        status = os.stat(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    return ImageFile(os.path.relpath(path, root).replace(os.sep, "/"), status.st_size, status.st_mtime_ns)
