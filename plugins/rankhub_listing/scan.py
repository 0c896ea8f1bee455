"""Finds the image files of a folder, and says what it passed over."""

from __future__ import annotations

import os
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import numpy as np

from rankhub_listing.content import Content, read_content
from rankhub_listing.files import ImageFiles, Paths, UnusedImage, as_ints, unreadable
from rankhub_listing.kept import KeptListing


@dataclass(slots=True)
class FoundImages:
    """What a folder holds, by name: no file was looked at.

    Attributes:
        paths: The images to decode, in order.
        faults: Images that cannot be read, known without opening them; in order.
        ignored: Ending -> number of files that are no images.
        hidden: Files and folders whose name starts with a dot, or that a system made.
        repeated: Links to a folder that is reached already (loops among them).
    """

    paths: Paths = field(default_factory=Paths)
    faults: list[UnusedImage] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    repeated: int = 0


@dataclass(slots=True, weakref_slot=True)
class Listing:
    """What a folder holds, each image with its size and time.

    Attributes:
        files: The images to decode, by relative path.
        faults: As in :class:`FoundImages`; so are the others.
    """

    files: ImageFiles = field(default_factory=ImageFiles.of)
    faults: list[UnusedImage] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    repeated: int = 0


def find(root: Path, folders: Sequence[str] | None = None, kept: KeptListing | None = None) -> FoundImages:
    """Find the images under ``root``, nested at any depth.

    Links are followed. A folder is entered once, under its real path where that lies below the root, so
    that neither a loop of links nor two links to one folder repeats an image.

    Args:
        root: An existing folder.
        folders: Only these folders below the root, relative to it; None = all of it.
        kept: What was found earlier by the same arguments: folders that have not changed since are not read.

    Raises:
        OSError: The root, or one of ``folders``, cannot be listed.
    """
    walk = _Walk(root, kept)
    for start in [""] if folders is None else sorted({_clean(name) for name in folders}):
        walk.enter(start, first=True)
    while walk.links:
        walk.links.sort(reverse=True)
        walk.enter(walk.links.pop(), first=False)
    if kept is not None:
        kept.save()
    found = FoundImages(Paths(_joined(walk.contents)), walk.faults, repeated=walk.repeated)
    for folder, content in walk.contents.items():
        within = f"{folder}/" if folder else ""
        found.faults += content.faults(within)
        found.ignored.update(content.ignored)
        found.hidden += content.hidden
    found.faults.sort(key=lambda fault: fault.path)
    return found


def scan(root: Path, folders: Sequence[str] | None = None, kept: KeptListing | None = None) -> Listing:
    """The images under ``root`` with the sizes and times that their files have now; see :func:`find`.

    Raises:
        OSError: The root, or one of ``folders``, cannot be listed.
    """
    found = find(root, folders, kept)
    sizes, mtimes = array("q"), array("q")
    lost: list[int] = []
    within, look = os.path.join(root, ""), os.stat
    for row, path in enumerate(found.paths):
        try:
            status = look(within + path)
        except OSError as error:
            found.faults.append(unreadable(path, error))
            lost.append(row)
            continue
        sizes.append(status.st_size)
        mtimes.append(status.st_mtime_ns)
    paths = found.paths
    if lost:
        found.faults.sort(key=lambda fault: fault.path)
        there = np.delete(np.arange(len(paths)), lost).tolist()
        paths = Paths.of(paths[row] for row in there)
    files = ImageFiles(paths, as_ints(sizes), as_ints(mtimes))
    return Listing(files, found.faults, found.ignored, found.hidden, found.repeated)


def _clean(name: str) -> str:
    clean = os.path.normpath(name).replace(os.sep, "/")
    return "" if clean == "." else clean


class _Walk:
    """Goes through folders, each once.

    Attributes:
        contents: Folder -> what it holds itself.
        links: To folders: where to go once all that is no link is done.
    """

    def __init__(self, root: Path, kept: KeptListing | None) -> None:
        self.contents: dict[str, Content] = {}
        self.faults: list[UnusedImage] = []
        self.links: list[str] = []
        self.repeated = 0
        self._root = root
        self._kept = kept
        self._entered: set[tuple[int, int]] = set()

    def enter(self, start: str, *, first: bool) -> None:
        """Everything below ``start`` but what lies behind links to folders: those are added to ``links``."""
        pending = [start]
        while pending:
            folder = pending.pop()
            try:
                content = self._content(folder)
            except OSError as error:
                if first and folder == start:
                    raise
                self.faults.append(unreadable(folder, error))
                continue
            if content is None:
                self.repeated += 1
                continue
            self.contents[folder] = content
            within = f"{folder}/" if folder else ""
            pending += [within + name for name in content.folders]
            self.links += [within + name for name in content.links]

    def _content(self, folder: str) -> Content | None:
        """What a folder holds; None if it was entered before."""
        directory = os.path.join(self._root, folder) if folder else str(self._root)
        began = time.time_ns()
        status = os.stat(directory)
        if (status.st_dev, status.st_ino) in self._entered:
            return None
        self._entered.add((status.st_dev, status.st_ino))
        with os.scandir(directory) as entries:
            if self._kept is None:
                return read_content(entries)
            # A network drive asks its server when a folder is opened, not at every look at its times.
            status = os.stat(directory)
            content = self._kept.content(folder, directory, status)
            if content is None:
                content = read_content(entries)
                self._kept.add(folder, directory, status, began, content)
            return content


def _joined(contents: dict[str, Content]) -> bytes:
    """All images in the order of their paths, each with a NUL behind it.

    The images of a folder without folders below it stand side by side: such a folder is ordered as a whole.
    """
    units: list[tuple[str, bytes]] = []
    for folder, content in contents.items():
        within = f"{folder}/" if folder else ""
        head = os.fsencode(within)
        if not content.files:
            continue
        if content.folders or content.links:
            names = os.fsdecode(content.files).split("\0")
            units += [(within + name, head + os.fsencode(name)) for name in names]
        else:
            units.append((within, head + content.files.replace(b"\0", b"\0" + head)))
    units.sort(key=itemgetter(0))
    return b"".join(unit + b"\0" for _, unit in units)
