"""Decoded images kept between runs: a folder for each set of files, complete or not there at all.

A part of a set that is kept is taken from there, so that a few images of many, as labeling in rounds names them, are
neither decoded nor written again.
"""

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
from rankhub_listing.files import ImageFiles, Paths, UnusedImage

_LAYOUT = 5
"""To be raised whenever decoding, or what an entry consists of, changes."""
_PIXELS, _INDEX, _FILES, _FAULTS = "pixels.bin", "index.npz", "files.npz", "faults.json"
_PART = ".part"
_DAMAGED = (OSError, ValueError, LookupError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile)
"""What reading raises where an entry is damaged, or another run removes it meanwhile."""
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


def entry_of(
    cache: Path, root: Path, files: ImageFiles, resize: int | None, max_side: int | None, readers: Iterable[str]
) -> Path:
    """The folder for what decoding gives: another for any file's other path, size or time of change.

    Args:
        cache: Where all are.
        root: The folder; its real path is part of the name, since two folders may hold files of like names.
        files: What is decoded, in order.
        resize: Shorter side of the images.
        max_side: Longest side of the images.
        readers: Pillow's formats; another one may read what was a fault before.

    Returns:
        Beside those of other files of the root that are decoded alike.
    """
    head = (str(_LAYOUT), PIL.__version__, os.path.realpath(root), f"{resize} {max_side}", *sorted(readers))
    alike = hashlib.blake2b("\0".join(head).encode("utf-8", "surrogateescape"), digest_size=16)
    digest = hashlib.blake2b(digest_size=16)
    for part in (files.paths.joined, files.sizes.tobytes(), files.mtimes.tobytes()):
        digest.update(b"\0%d\0" % len(part) + part)
    return cache / alike.hexdigest() / digest.hexdigest()


def load(entry: Path, root: Path) -> Decoded | None:
    """The images of a complete entry; None if there is none, or it is damaged or out of date."""
    try:
        with np.load(entry / _INDEX, allow_pickle=False) as index:
            facts = Facts(**{name: index[name] for name in index.files})
        faults = tuple(UnusedImage(**row) for row in json.loads((entry / _FAULTS).read_text("utf-8")))
        images = Images(entry / _PIXELS, facts.shapes)
        if (entry / _PIXELS).stat().st_size != images.nbytes:
            return None
    except _DAMAGED:
        return None
    # A file that could not be opened may be open now, though neither its size nor its time has changed.
    if any(fault.kind == "unreadable" and os.access(root / fault.path, os.R_OK) for fault in faults):
        return None
    return Decoded(images, facts, faults)


def load_part(entry: Path, root: Path, files: ImageFiles) -> tuple[Decoded, Path] | None:
    """The images of these files from an entry that holds them among others, and that entry; None without one."""
    for other in sorted(entry.parent.glob("*")):
        if other == entry or other.suffix == _PART:
            continue
        try:
            rows = _rows_in(other, files)
            found = None if rows is None else load(other, root)
            if rows is not None and found is not None:
                return _part_of(found, rows, files), other
        except _DAMAGED:
            continue
    return None


def _rows_in(entry: Path, files: ImageFiles) -> npt.NDArray[np.int64] | None:
    """Which of the entry's files these are; None unless it holds all, unchanged."""
    if not len(files):
        return None
    first = os.fsencode(f"\0{files.paths[0]}\0")
    with np.load(entry / _FILES, allow_pickle=False) as held:
        joined = held["paths"].tobytes()
        if first not in b"\0" + joined:  # so in most entries of other files: one look, and no name is taken apart
            return None
        sizes, mtimes = held["sizes"], held["mtimes"]
    wanted = set(files.paths)
    where = {path: row for row, path in enumerate(Paths(joined)) if path in wanted}
    rows = np.array([where.get(path, -1) for path in files.paths], np.int64)
    if (rows < 0).any() or (sizes[rows] != files.sizes).any() or (mtimes[rows] != files.mtimes).any():
        return None
    return rows


def _part_of(whole: Decoded, rows: npt.NDArray[np.int64], files: ImageFiles) -> Decoded:
    """What is known of these files, at ``rows`` of those that were decoded; what :data:`_DAMAGED` names if not all."""
    at = np.full(1 + max(rows.max(), whole.facts.rows.max(initial=0)), -1)
    at[whole.facts.rows] = np.arange(len(whole.facts.rows))
    images = at[rows]
    there = np.flatnonzero(images >= 0)
    images = images[there]
    facts = Facts(there, *(getattr(whole.facts, name)[images] for name in Facts.__slots__[1:]))
    named = {fault.path: fault for fault in whole.faults}
    faults = tuple(named[path] for path in files.paths if path in named)
    if len(there) + len(faults) != len(files):
        raise ValueError("damaged: of some files it holds neither an image nor a fault")
    return Decoded(whole.images.chosen(images), facts, faults)


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
        _remove_abandoned(self.entry.parent.parent)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{self.entry.name}.", suffix=_PART, dir=self.entry.parent))
        return open(self._folder / _PIXELS, "wb")

    def publish(self, files: ImageFiles, facts: Facts, faults: Iterable[UnusedImage]) -> Images:
        """Complete the entry and put it in place. The file of the pixels is closed before.

        Returns:
            The images of the entry.

        Raises:
            OSError: The cache cannot be written.
        """
        assert self._folder is not None
        np.savez(self._folder / _INDEX, **{name: getattr(facts, name) for name in Facts.__slots__})
        paths = np.frombuffer(files.paths.joined, np.uint8)
        np.savez(self._folder / _FILES, paths=paths, sizes=files.sizes, mtimes=files.mtimes)
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


def _remove_abandoned(cache: Path) -> None:
    """Remove what killed runs left, of whichever root; a run that is alive writes more often than once an hour."""
    for part in cache.glob(f"*/*{_PART}"):
        try:
            newest = max(path.stat().st_mtime for path in (part, *part.iterdir()))
        except OSError:
            continue
        if time.time() - newest > _ABANDONED_S:
            shutil.rmtree(part, ignore_errors=True)
