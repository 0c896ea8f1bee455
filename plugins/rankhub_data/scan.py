"""Finds the image files of a folder, and says what it passed over."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rankhub_data.formats import FOREIGN, READABLE, looks_like_image, unread

FaultKind = Literal["unsupported", "broken", "too large", "unreadable", "unsuited"]

_NOT_PHOTOS = frozenset({"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})
"""Folders that archivers, network drives and file systems make; @eaDir holds thumbnails of the photos beside it."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to decode.

    Attributes:
        path: Relative to the root, with ``/`` on every system.
        size: Bytes.
        mtime: Time of the last change, in nanoseconds.
    """

    path: str
    size: int
    mtime: int

    @property
    def ending(self) -> str:
        """The name's ending in lower case, with the dot; empty if there is none."""
        return os.path.splitext(self.path)[1].lower()


@dataclass(frozen=True, slots=True)
class UnusedImage:
    """An image that is not used, and why.

    Attributes:
        path: Relative to the root.
        kind: ``unsupported`` format, ``broken`` content, ``too large`` to be safe, ``unreadable`` file,
            ``unsuited`` for what would take it.
        reason: What is wrong, as the end of a sentence.
        remedy: What the user can do; empty where nothing can be said.
    """

    path: str
    kind: FaultKind
    reason: str
    remedy: str = ""


@dataclass(slots=True)
class Listing:
    """What a folder holds.

    Attributes:
        files: The images to decode, by relative path.
        faults: Images that cannot be read, known without opening them.
        ignored: Ending -> number of files that are no images.
        hidden: Files and folders whose name starts with a dot, or that a system made.
        repeated: Links to a folder that is reached already (loops among them).
    """

    files: list[ImageFile] = field(default_factory=list)
    faults: list[UnusedImage] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    repeated: int = 0


def scan(root: Path, folders: Sequence[str] | None = None) -> Listing:
    """List the images under ``root``, nested at any depth.

    Links are followed. A folder is entered once, under its real path where that lies below the root, so
    that neither a loop of links nor two links to one folder repeats an image.

    Args:
        root: An existing folder.
        folders: Only these folders below the root, relative to it; None = all of it.

    Raises:
        OSError: The root, or one of ``folders``, cannot be listed.
    """
    listing = Listing()
    entered: set[tuple[int, int]] = set()
    starts = [""] if folders is None else sorted({_clean(name) for name in folders})
    links: list[str] = []
    for start in starts:
        _walk(root, start, listing, entered, links, first=True)
    while links:
        links.sort(reverse=True)
        _walk(root, links.pop(), listing, entered, links, first=False)
    listing.files.sort(key=lambda file: file.path)
    listing.faults.sort(key=lambda fault: fault.path)
    return listing


def _clean(name: str) -> str:
    clean = os.path.normpath(name).replace(os.sep, "/")
    return "" if clean == "." else clean


def _walk(
    root: Path, start: str, listing: Listing, entered: set[tuple[int, int]], links: list[str], *, first: bool
) -> None:
    """Everything below ``start`` but what lies behind links to folders: those are added to ``links``."""
    pending = [start]
    while pending:
        folder = pending.pop()
        directory = os.path.join(root, folder) if folder else str(root)
        try:
            status = os.stat(directory)
            if (status.st_dev, status.st_ino) in entered:
                listing.repeated += 1
                continue
            entered.add((status.st_dev, status.st_ino))
            with os.scandir(directory) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            if first and folder == start:
                raise
            listing.faults.append(UnusedImage(folder, "unreadable", _why(error)))
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or entry.name in _NOT_PHOTOS:
                listing.hidden += 1
            elif entry.is_dir(follow_symlinks=False):
                pending.append(path)
            else:
                _file_or_link(entry, path, listing, links)


def _file_or_link(entry: os.DirEntry[str], path: str, listing: Listing, links: list[str]) -> None:
    ending = os.path.splitext(entry.name)[1].lower()
    is_image = ending in READABLE or ending in FOREIGN
    try:
        status = entry.stat()
    except OSError as error:
        if is_image:
            listing.faults.append(UnusedImage(path, "unreadable", _why(error)))
        else:
            listing.ignored[ending] += 1
        return
    if stat.S_ISDIR(status.st_mode):
        links.append(path)
    elif not stat.S_ISREG(status.st_mode):
        listing.ignored[ending] += 1
    elif foreign := unread(ending):
        listing.faults.append(UnusedImage(path, "unsupported", f"{foreign.name} is not read by Pillow", foreign.remedy))
    elif is_image or (not ending and _starts_like_image(entry.path)):
        listing.files.append(ImageFile(path, status.st_size, status.st_mtime_ns))
    else:
        listing.ignored[ending] += 1


def _starts_like_image(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return looks_like_image(file.read(16))
    except OSError:
        return False


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
