"""Decoded images kept between runs: a folder for each set of files, complete or not there at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import PIL

from rankhub_data.store import Images
from rankhub_listing.files import ImageFiles, UnusedImage

_LAYOUT = 4
"""To be raised whenever decoding, or what an entry consists of, changes."""
_PIXELS, _INDEX, _FAULTS = "pixels.bin", "index.npz", "faults.json"
_PART = ".part"
_ABANDONED_S = 3600.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of n decoded images beside their pixels.

    Attributes:
        rows: [n] which file each image comes from; ascending.
        shapes: [n, 2] height and width.
        sources: [n, 2] height and width of the file's image, upright, before it was shrunk.
        file_digests: [n] hash of the encoded bytes.
        pixel_digests: [n] hash of the decoded image and its shape.
        remarks: [n] uint8, :class:`~rankhub_data.deep.Remark`.
    """

    rows: npt.NDArray[np.int64]
    shapes: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    file_digests: npt.NDArray[np.uint64]
    pixel_digests: npt.NDArray[np.uint64]
    remarks: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The images of a list of files.

    Attributes:
        images: n images, in the order of the files.
        facts: What else is known of them.
        faults: The files that gave no image.
    """

    images: Images
    facts: Facts
    faults: tuple[UnusedImage, ...]


def key_of(root: Path, files: ImageFiles, resize: int | None, max_side: int | None, readers: Iterable[str]) -> str:
    """A name for what decoding gives: it changes with any file's path, size or time of change.

    Args:
        root: The folder; its real path is part of the key, since two folders may hold files of like names.
        files: What is decoded, in order.
        resize: Shorter side of the images.
        max_side: Longest side of the images.
        readers: Pillow's formats; another one may read what was a fault before.
    """
    digest = hashlib.blake2b(digest_size=16)
    head = (str(_LAYOUT), PIL.__version__, os.path.realpath(root), f"{resize} {max_side}", *sorted(readers))
    digest.update("\0".join(head).encode("utf-8", "surrogateescape"))
    for part in (files.paths.joined, files.sizes.tobytes(), files.mtimes.tobytes()):
        digest.update(b"\0%d\0" % len(part) + part)
    return digest.hexdigest()


def load(entry: Path, root: Path) -> Decoded | None:
    """The images of a complete entry; None if there is none, or it is damaged or out of date."""
    try:
        with np.load(entry / _INDEX, allow_pickle=False) as index:
            facts = Facts(**{name: index[name] for name in index.files})
        faults = tuple(UnusedImage(**row) for row in json.loads((entry / _FAULTS).read_text("utf-8")))
        images = Images(entry / _PIXELS, facts.shapes)
        if (entry / _PIXELS).stat().st_size != images.nbytes:
            return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    # A file that could not be opened may be open now, though neither its size nor its time has changed.
    if any(fault.kind == "unreadable" and os.access(root / fault.path, os.R_OK) for fault in faults):
        return None
    return Decoded(images, facts, faults)


class PartialEntry:
    """An entry while it is written: in a folder beside the entry's path, renamed when it is complete.

    A run that is killed leaves no half entry. Two runs that decode the same files write each their own.

    Args:
        entry: Where the entry will be.
    """

    def __init__(self, entry: Path) -> None:
        self.entry = entry
        self._folder: Path | None = None

    def open_pixels(self) -> BinaryIO:
        """Make the folder, and in it the file that takes the pixels.

        Raises:
            OSError: The cache cannot be written.
        """
        self.entry.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(self.entry.parent)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self.entry.name}.", suffix=_PART, dir=self.entry.parent))
        return open(self._folder / _PIXELS, "wb")

    def publish(self, facts: Facts, faults: Iterable[UnusedImage]) -> Images:
        """Complete the entry and put it in place. The file of the pixels is closed before.

        Returns:
            The images of the entry.

        Raises:
            OSError: The cache cannot be written.
        """
        assert self._folder is not None
        np.savez(self._folder / _INDEX, **{name: getattr(facts, name) for name in Facts.__slots__})
        (self._folder / _FAULTS).write_text(json.dumps([asdict(fault) for fault in faults]), "utf-8")
        if self.entry.exists():  # out of date, damaged, or another run's, and then the same as this one
            shutil.rmtree(self.entry, ignore_errors=True)
        try:
            self._folder.rename(self.entry)
        except OSError:
            if not (self.entry / _INDEX).exists():  # not just another run that was faster
                raise
        return Images(self.entry / _PIXELS, facts.shapes)

    def discard(self) -> None:
        """Remove what was written, if anything was."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed runs left; a run that is alive writes more often than once an hour."""
    for part in folder.glob(f"*{_PART}"):
        try:
            newest = max(path.stat().st_mtime for path in (part, *part.iterdir()))
        except OSError:
            continue
        if time.time() - newest > _ABANDONED_S:
            shutil.rmtree(part, ignore_errors=True)
