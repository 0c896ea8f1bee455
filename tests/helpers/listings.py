"""Folders of files with the names of images, listed with what is kept of them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from rankhub_listing.formats import learn_formats
from rankhub_listing.kept import KeptListing
from rankhub_listing.scan import FoundImages, find


@dataclass
class Lister:
    """Lists folders with what is kept of them, and counts those that it reads.

    Attributes:
        cache: Where listings are kept.
        read: How many folders it read in its last call, and did not take from what is kept.
        plain: How many were read by others.
        later: Nanoseconds by which the clock of this machine is ahead of that of the file system.
    """

    cache: Path
    read: int = 0
    plain: int = 0
    later: int = 0
    busy: bool = field(default=False, repr=False)

    def __call__(self, root: Path, folders: list[str] | None = None) -> FoundImages:
        self.read, self.busy = 0, True
        try:
            return find(root, folders, KeptListing(self.cache, root, folders, learn_formats()))
        finally:
            self.busy = False

    def files(self) -> list[Path]:
        """What lies in the cache."""
        return sorted(self.cache.iterdir()) if self.cache.exists() else []


def told(found: FoundImages) -> tuple[object, ...]:
    """All that was found, to be compared."""
    return list(found.paths), found.faults, +found.ignored, found.hidden, found.repeated


def write(path: Path, text: str = "x") -> None:
    """A file, and the folders above it."""
    os.makedirs(path.parent, exist_ok=True)
    path.write_text(text)
