"""Images by name in an order: files, and images of places, of which a million take no million objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import TYPE_CHECKING, TypeVar, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rankhub_use.places import ImagePlace

T = TypeVar("T", covariant=True)

_TOGETHER = 4096
"""Names that are asked for together where all are gone through."""


class Lazy(Sequence[T], ABC):
    """A sequence whose members are made when they are asked for, and so are parts of it."""

    @abstractmethod
    def one(self, number: int) -> T:
        """The member at a position, which is there: from 0 to before the length."""

    @abstractmethod
    def some(self, at: slice) -> Sequence[T]:
        """What a slice cuts out."""

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...

    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        return self.some(at) if isinstance(at, slice) else self.one(range(len(self))[at])


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


class PlacedFiles(Lazy[NamedFile]):
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

    def some(self, at: slice) -> PlacedFiles:
        """As in the base."""
        return PlacedFiles(self.place, self.before, self.rows[at])

    def one(self, number: int) -> NamedFile:
        """As in the base."""
        row = self.rows[number]
        name = self.place.names[row]
        return NamedFile(self.before + name, f"{self.place.uri}/{name}", self.place, row)

    def __iter__(self) -> Iterator[NamedFile]:
        place, before, uri = self.place, self.before, self.place.uri
        for first in range(0, len(self.rows), _TOGETHER):
            rows = self.rows[first : first + _TOGETHER]
            names = place.names[rows.start : rows.stop] if rows.step == 1 else [place.names[row] for row in rows]
            for row, name in zip(rows, names, strict=True):
                yield NamedFile(before + name, f"{uri}/{name}", place, row)


class Joined(Lazy[NamedFile]):
    """Several sequences, one after the other.

    Args:
        parts: Them.
    """

    def __init__(self, parts: Iterable[Sequence[NamedFile]]) -> None:
        self.parts = [part for part in parts if len(part)]
        self._ends = list(accumulate(map(len, self.parts)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def some(self, at: slice) -> Joined | ChosenFiles:
        """As in the base."""
        which = range(len(self))[at]
        if which.step != 1:
            return ChosenFiles(self, np.asarray(which, dtype=np.int64))
        begins = [0, *self._ends]
        cuts = [(max(0, which.start - begin), max(0, which.stop - begin)) for begin in begins]
        return Joined(part[start:stop] for part, (start, stop) in zip(self.parts, cuts, strict=False))

    def one(self, number: int) -> NamedFile:
        """As in the base."""
        part = bisect_right(self._ends, number)
        return self.parts[part][number - (self._ends[part - 1] if part else 0)]

    def __iter__(self) -> Iterator[NamedFile]:
        return chain.from_iterable(self.parts)


class ChosenFiles(Lazy[NamedFile]):
    """Some of a sequence.

    Args:
        files: It.
        numbers: [k] positions in it, in the order in which they are to stand.
    """

    def __init__(self, files: Sequence[NamedFile], numbers: npt.NDArray[np.int64]) -> None:
        self.files, self.numbers = files, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def some(self, at: slice) -> ChosenFiles:
        """As in the base."""
        return ChosenFiles(self.files, self.numbers[at])

    def one(self, number: int) -> NamedFile:
        """As in the base."""
        return self.files[int(self.numbers[number])]


def one_place(files: Sequence[NamedFile]) -> ImagePlace | None:
    """The place whose images these are, all of them and nothing else; None where there are others."""
    return files.place if isinstance(files, PlacedFiles) and files.whole else None
