"""Images that a table names: decoded once, in the order of the table, none of them may be missing."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import readable
from rankhub_data.reading import Folder, read_folder
from rankhub_listing.files import ImageFile, ImageFiles
from rankhub_listing.scan import Listing
from rankhub_tables.names import folded
from rankhub_tables.wording import number_of_images, some


def read_named(
    root: Path,
    names: Sequence[str],
    resize: int | None,
    context: OpenContext,
    *,
    keep: bool,
    source: str,
    max_side: int | None = None,
) -> Folder:
    r"""Decode the images that a table names, or take them from where they were decoded before.

    Two tables that name the same files of one folder in the same order share what was read.

    Args:
        root: The folder that the names are relative to; absolute.
        names: [n] as the table has them. Where no file is called exactly so, one whose name differs in upper and
            lower case, in how accents are written, or by ``\`` for ``/`` only is taken. Absolute paths are as good.
        resize: Shorter side in pixels to which images are shrunk; None = as they are.
        context: Where and how much to keep.
        keep: Whether to use the cache though the images fit into memory.
        source: What named the images ("labels.csv"), for sentences.
        max_side: Longer side in pixels to which images are shrunk; None = as they are.

    Returns:
        The images; the i-th is the table's i-th row.

    Raises:
        UserError: An image is missing, named twice or cannot be decoded, or the cache cannot be written: each image
            goes with what the table says of it, so none is skipped.
    """
    folder = read_folder(
        root, Listing(ImageFiles.of(_find(root, names, source))), resize, context, keep=keep, max_side=max_side
    )
    faults = folder.decoded.faults
    if faults:
        said = some([f"{readable(fault.path)} ({fault.reason})" for fault in faults])
        raise UserError(
            f"{len(faults):,} of the {len(names):,} images that {source} names cannot be read: {said}; get them anew, "
            "or take their rows out"
        )
    return folder


def _find(root: Path, names: Sequence[str], source: str) -> list[ImageFile]:
    """The files in the order of their names."""
    look = _Lookup(str(root))
    found: list[ImageFile] = []
    missing: list[str] = []
    for name in names:
        file = look.file(name)
        if file is None:
            missing.append(name)
        else:
            found.append(file)
    if missing:
        raise UserError(
            f"{len(missing):,} of the {len(names):,} images that {source} names are not in {root}: "
            f"{some([readable(name) for name in missing])}; set `root` to the folder that these paths start at, or "
            "take their rows out"
        )
    twice = [path for path, count in Counter(file.path for file in found).items() if count > 1]
    if twice:
        raise UserError(
            f"{source} names {number_of_images(len(twice))} more than once: "
            f"{some([readable(path) for path in twice])}; keep one row of each, or give each its own file"
        )
    return found


@dataclass(slots=True)
class _Lookup:
    """Finds files; where a name's case is wrong, each folder is listed once."""

    root: str
    folders: dict[str, dict[str, str]] = field(default_factory=dict)

    def file(self, name: str) -> ImageFile | None:
        spellings: tuple[Callable[[], str | None], ...] = (
            lambda: name,
            lambda: name.replace("\\", "/"),
            lambda: self._other_case(name.replace("\\", "/")),
        )
        for spell in spellings:
            path = spell()
            if not path:
                continue
            relative = os.path.normpath(path)
            if os.path.isabs(relative):
                relative = os.path.relpath(relative, self.root)
            relative = relative.replace(os.sep, "/")
            try:
                status = os.stat(f"{self.root}/{relative}")
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                return ImageFile(relative, status.st_size, status.st_mtime_ns)
        return None

    def _other_case(self, name: str) -> str | None:
        """The one path that differs only in case or in how accents are written; an exact name goes first."""
        path = ""
        for part in os.path.normpath(name).split(os.sep):
            names = self._names(path)
            actual = names.get(part) or names.get(folded(part))
            if not actual:
                return None
            path = f"{path}/{actual}" if path else actual
        return path

    def _names(self, folder: str) -> dict[str, str]:
        """Name as it is, and folded -> name, of all entries; empty for a folded name that two share."""
        if folder not in self.folders:
            try:
                entries = os.listdir(os.path.join(self.root, folder))
            except OSError:
                entries = []
            counts = Counter(map(folded, entries))
            alone = {folded(entry): entry if counts[folded(entry)] == 1 else "" for entry in entries}
            self.folders[folder] = {**alone, **{entry: entry for entry in entries}}
        return self.folders[folder]
