"""Images by name in an order: files, and images of places, of which a million take no million objects."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rankhub_use.places import ImagePlace

_TOGETHER = 4096
"""Names that are asked for together where all are gone through."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """One file that is to be read as an image, or one image of a place.

    Attributes:
        name: What it is called in tables: of the only folder or place its path in it, else the path as it was given.
        path: Where it is; of an image of a place the place's ``uri``, a slash and its name there.
        place: What reads it, where it is no file of its own.
        row: Which of the place's images it is.
    """

    name: str
    path: str
    place: ImagePlace | None = None
    row: int = -1


class PlacedFiles(Sequence[NamedFile]):
    """Images of a place in its order, each a :class:`NamedFile` once it is asked for.

    Args:
        place: It.
        before: Stands before their names.
        rows: Which of them; None = all.
    """

    def __init__(self, place: ImagePlace, before: str = "", rows: range | None = None) -> None:
        self.place, self.before = place, before
        self.rows = range(len(place.names)) if rows is None else rows

    @property
    def whole(self) -> bool:
        """Whether all images of the place are among them."""
        return self.rows == range(len(self.place.names))

    def located(self) -> PlacedFiles:
        """The same, called by where they are."""
        return PlacedFiles(self.place, f"{self.place.uri}/", self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> NamedFile: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[NamedFile]: ...

    def __getitem__(self, at: int | slice) -> NamedFile | Sequence[NamedFile]:
        if isinstance(at, slice):
            return PlacedFiles(self.place, self.before, self.rows[at])
        row = self.rows[at]
        name = self.place.names[row]
        return NamedFile(self.before + name, f"{self.place.uri}/{name}", self.place, row)

    def __iter__(self) -> Iterator[NamedFile]:
        place, before, uri = self.place, self.before, self.place.uri
        for first in range(0, len(self.rows), _TOGETHER):
            rows = self.rows[first : first + _TOGETHER]
            names = place.names[rows.start : rows.stop] if rows.step == 1 else [place.names[row] for row in rows]
            for row, name in zip(rows, names, strict=True):
                yield NamedFile(before + name, f"{uri}/{name}", place, row)


class Joined(Sequence[NamedFile]):
    """Several sequences, one after the other.

    Args:
        parts: Them.
    """

    def __init__(self, parts: Iterable[Sequence[NamedFile]]) -> None:
        self.parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(map(len, self.parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, at: int) -> NamedFile: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[NamedFile]: ...

    def __getitem__(self, at: int | slice) -> NamedFile | Sequence[NamedFile]:
        if isinstance(at, slice):
            which = range(len(self))[at]
            if which.step != 1:
                return ChosenFiles(self, np.asarray(which, dtype=np.int64))
            begins = [0, *self._ends]
            cuts = [(max(0, which.start - begin), max(0, which.stop - begin)) for begin in begins]
            return Joined(part[start:stop] for part, (start, stop) in zip(self.parts, cuts, strict=False))
        number = range(len(self))[at]
        part = bisect_right(self._ends, number)
        return self.parts[part][number - (self._ends[part - 1] if part else 0)]

    def __iter__(self) -> Iterator[NamedFile]:
        return chain.from_iterable(self.parts)


class ChosenFiles(Sequence[NamedFile]):
    """Some of a sequence.

    Args:
        files: It.
        numbers: [k] positions in it, in the order in which they are to stand.
    """

    def __init__(self, files: Sequence[NamedFile], numbers: npt.NDArray[np.int64]) -> None:
        self.files, self.numbers = files, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> NamedFile: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[NamedFile]: ...

    def __getitem__(self, at: int | slice) -> NamedFile | Sequence[NamedFile]:
        if isinstance(at, slice):
            return ChosenFiles(self.files, self.numbers[at])
        return self.files[int(self.numbers[at])]


def one_place(files: Sequence[NamedFile]) -> ImagePlace | None:
    """The place whose images these are, all of them and nothing else; None where there are others."""
    return files.place if isinstance(files, PlacedFiles) and files.whole else None
