"""Image files as few arrays: a million take 25 bytes each beside their names, where objects would take 250."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rankhub_listing.formats import Foreign

Ints = npt.NDArray[np.int64]

FaultKind = Literal["unsupported", "broken", "too large", "unreadable", "unsuited"]


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


def unreadable(path: str, error: OSError | MemoryError) -> UnusedImage:
    """What is said of a file or a folder that the system does not let be read, or that memory does not hold."""
    return UnusedImage(path, "unreadable", (getattr(error, "strerror", None) or str(error)).lower())


def unsupported(path: str, format_: Foreign) -> UnusedImage:
    """What is said of an image whose format Pillow does not read here."""
    return UnusedImage(path, "unsupported", f"{format_.name} is not read by Pillow", format_.remedy)


class Paths:
    """Paths in order, as one run of bytes.

    Args:
        joined: Each as the file system has it (``os.fsencode``), with a NUL behind it.
    """

    __slots__ = ("_ends", "joined")

    def __init__(self, joined: bytes = b"") -> None:
        self.joined = joined
        self._ends: Ints = np.flatnonzero(np.frombuffer(joined, np.uint8) == 0)

    @classmethod
    def of(cls, paths: Iterable[str]) -> Paths:
        """The same paths, in their order."""
        return cls(os.fsencode("".join(f"{path}\0" for path in paths)))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:
        row = range(len(self._ends))[row]
        start = int(self._ends[row - 1]) + 1 if row else 0
        return os.fsdecode(self.joined[start : int(self._ends[row])])

    def __iter__(self) -> Iterator[str]:
        return iter(os.fsdecode(self.joined[:-1]).split("\0") if self.joined else ())

    def __reduce__(self) -> tuple[Any, ...]:
        return Paths, (self.joined,)


@dataclass(frozen=True, slots=True, eq=False)
class ImageFiles:
    """Files to decode, each an :class:`ImageFile` once it is asked for.

    Attributes:
        paths: [n] of each, relative to the root.
        sizes: [n] bytes.
        mtimes: [n] times of the last change, in nanoseconds.
    """

    paths: Paths
    sizes: Ints
    mtimes: Ints

    @classmethod
    def of(cls, files: Iterable[ImageFile] = ()) -> ImageFiles:
        """The same files, in their order."""
        files = list(files)
        sizes, mtimes = array("q", (file.size for file in files)), array("q", (file.mtime for file in files))
        return cls(Paths.of(file.path for file in files), as_ints(sizes), as_ints(mtimes))

    def chosen(self, rows: Sequence[int]) -> ImageFiles:
        """Those at ``rows``, in the order of these."""
        which = np.asarray(rows, dtype=np.int64)
        return ImageFiles(Paths.of(self.paths[row] for row in rows), self.sizes[which], self.mtimes[which])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> ImageFile:
        return ImageFile(self.paths[row], int(self.sizes[row]), int(self.mtimes[row]))

    def __iter__(self) -> Iterator[ImageFile]:
        return (self[row] for row in range(len(self)))


def as_ints(numbers: array[int]) -> Ints:
    """An array of type ``q`` as one of numpy, not copied."""
    return np.frombuffer(numbers, dtype=np.int64)
