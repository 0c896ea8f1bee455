"""What folders held when they were last read, kept between runs: a folder that has not changed is not read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rankhub_listing.content import Content
from rankhub_listing.mounts import SECOND, quiet_time

_LAYOUT = 1
"""To be raised whenever what counts as an image, or what is kept, changes."""
_MAGIC = b"rankhub listing "
_DIGEST = 32
_PART, _ABANDONED_S = ".part", 3600

FEW_FILES, FEW_A_FOLDER = 10_000, 10
"""Fewer images, in all or to a folder, are not worth keeping: to read them anew takes no longer."""


@dataclass(frozen=True, slots=True)
class _KnownFolder:
    """A folder as it was read.

    Attributes:
        state: What the system said of the folder itself: another one after any change of the names in it.
        seen: When it was first seen in this state, in nanoseconds by the clock of this machine.
        settled: Whether it was read so long after it had come into this state that a later change gives another one.
        content: What it held.
    """

    state: tuple[int, ...]
    seen: int
    settled: bool
    content: Content


def _state(status: os.stat_result) -> tuple[int, ...]:
    """Time of change too, which unlike that of the last modification no program sets back."""
    return status.st_ino, status.st_nlink, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class KeptListing:
    """The folders below a root as they were when they were last read, in a file.

    A folder is taken from it where its inode, times, size and number of links are what they were, it had not changed
    for a while when it was read (else a change in the same tick of the file system's clock could not be told), and
    its file system is one whose folders tell of changes. Only names are kept: a file that was replaced in its place
    leaves its folder as it is.

    A file that is damaged, foreign or cannot be written is as good as none.

    Args:
        cache: The folder for such files.
        root: The folder that is listed; absolute.
        folders: The part of it that is listed; None = all.
        formats: Pillow's names of the formats that are read.
    """

    def __init__(self, cache: Path, root: Path, folders: Sequence[str] | None, formats: Iterable[str]) -> None:
        about = [_LAYOUT, str(root), folders, sorted(formats), sys.getfilesystemencoding()]
        self._about = json.dumps(about)
        self._file = cache / f"{hashlib.blake2b(self._about.encode(), digest_size=16).hexdigest()}.listing"
        self._records: Mapping[str, _KnownFolder] = _load(self._file, self._about)
        self._now: dict[str, _KnownFolder] = {}
        self._quiet: dict[int, int | None] = {}

    def content(self, folder: str, directory: str, status: os.stat_result) -> Content | None:
        """What a folder holds, if it is known and holds the same now.

        Args:
            folder: Relative to the root.
            directory: Where it is.
            status: What the system says of it.
        """
        record = self._records.get(folder)
        if record is None or not record.settled or record.state != _state(status):
            return None
        if self._quiet_time(directory, status) is None:
            return None
        self._now[folder] = record
        return record.content

    def add(self, folder: str, directory: str, status: os.stat_result, began: int, content: Content) -> None:
        """Keep what a folder held.

        Args:
            folder: Relative to the root.
            directory: Where it is.
            status: What the system said of it before it was read.
            began: When it was asked, in nanoseconds.
            content: What was read then.
        """
        quiet = self._quiet_time(directory, status)
        if quiet is None or not content.lasting:
            return
        state, before = _state(status), self._records.get(folder)
        seen = before.seen if before is not None and before.state == state else began
        changed = max(status.st_mtime_ns, status.st_ctime_ns)
        # Seen so before: long enough ago by one clock, whatever that of the file system says.
        settled = began - changed > quiet or began - seen > 2 * SECOND
        self._now[folder] = _KnownFolder(state, min(seen, began), settled, content)

    def save(self) -> None:
        """Write what was found, if it is worth it and other than what was there."""
        files = sum(one.content.files.count(b"\0") + 1 for one in self._now.values() if one.content.files)
        if files < max(FEW_FILES, FEW_A_FOLDER * len(self._now)):
            return
        same = self._now.keys() == self._records.keys()
        if same and all(self._records[name] is record for name, record in self._now.items()):
            return
        with contextlib.suppress(OSError):  # full, or not ours to write: the next run reads anew
            _write(self._file, _packed(self._now, self._about))

    def _quiet_time(self, directory: str, status: os.stat_result) -> int | None:
        if status.st_dev not in self._quiet:
            self._quiet[status.st_dev] = quiet_time(directory)
        return self._quiet[status.st_dev]


def _packed(records: Mapping[str, _KnownFolder], about: str) -> bytes:
    rows = [
        [name, one.state, one.seen, one.settled, len(one.content.files), *_told(one.content)]
        for name, one in records.items()
    ]
    head = json.dumps([about, rows]).encode()
    rest = b"".join([b"%d\n" % len(head), head, *(one.content.files for one in records.values())])
    return _MAGIC + hashlib.blake2b(rest, digest_size=_DIGEST).digest() + rest


def _told(content: Content) -> list[object]:
    return [content.folders, content.foreign, content.ignored, content.hidden]


def _load(file: Path, about: str) -> dict[str, _KnownFolder]:
    try:
        data = file.read_bytes()
        start = len(_MAGIC) + _DIGEST
        rest = data[start:]
        if data[:start] != _MAGIC + hashlib.blake2b(rest, digest_size=_DIGEST).digest():
            return {}
        length = rest.index(b"\n") + 1
        at = length + int(rest[:length])
        told, rows = json.loads(rest[length:at])
        if told != about:
            return {}
        found = {}
        for name, state, seen, settled, size, folders, foreign, ignored, hidden in rows:
            content = Content(rest[at : at + size], folders, [], foreign, [], ignored, hidden)
            found[name] = _KnownFolder(tuple(state), seen, settled, content)
            at += size
        return found
    except (OSError, ValueError, TypeError, MemoryError):
        return {}


def _write(file: Path, data: bytes) -> None:
    """Put a file in place whole, or not at all.

    Raises:
        OSError: It cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    for part in file.parent.glob(f"*{_PART}"):  # of runs that were killed
        if time.time() - part.stat().st_mtime > _ABANDONED_S:
            part.unlink(missing_ok=True)
    number, name = tempfile.mkstemp(suffix=_PART, dir=file.parent)
    try:
        with os.fdopen(number, "wb") as part_file:
            part_file.write(data)
        os.replace(name, file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
