"""An index of vectors by name: build, add, remove, search, duplicates, and its folder."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub_find import exact, store
from rankhub_find.checks import QUERIES, Found, checked_above, in_parts, unit_queries, unit_vectors
from rankhub_find.duplicates import Group, components, links
from rankhub_find.kinds import IndexPlan, Kind, Progress, Wanted, plan
from rankhub_find.store import KnownNetwork, Manifest
from rankhub_find.structures import STRUCTURES, Arrays, Bools, Damaged, Floats, Ints, Structure

GROWN = 4
"""ivfpq is learned anew once it has so many times the rows that it was learned for."""


@dataclass(frozen=True, slots=True)
class Match:
    """An image that was found.

    Attributes:
        name: As it was indexed.
        similarity: Cosine with the query, a multiple of 2^-20.
        row: Its row in the index.
    """

    name: str
    similarity: float
    row: int


def _silent(done: int, total: int, what: str) -> None:
    """Progress that is not shown."""


class Index:
    """Vectors by name, searched by cosine.

    Similarities are those of :mod:`rankhub_ranking.similarity`: of unit rows in float64, rounded to multiples of 2^-20;
    equal ones are ordered by row, that is in the order in which they were added. ``flat`` gives exactly what comparing
    every row gives; ``hnsw`` and ``ivfpq`` may miss rows, and those that they find have exact similarities.

    Made by :meth:`build` and :meth:`open`.

    Attributes:
        names: Of every row, removed ones included.
        vectors: [n, d] float32 of unit length (or zero).
        network: What made the vectors.
        wanted: The kind that was asked for, which ``auto`` leaves open.
        portion: How many vectors are handed over at a time: all of them.
        plan: What it is, why, and what it takes.
    """

    portion = sys.maxsize

    def __init__(self, dim: int, wanted: Wanted = "auto", network: KnownNetwork | None = None) -> None:
        self.names: list[str] = []
        self.vectors: Floats = np.empty((0, dim), np.float32)
        self.network = network or KnownNetwork()
        self.wanted: Wanted = wanted
        self.plan: IndexPlan = plan("flat", 0, dim)
        self._alive: Bools = np.empty(0, bool)
        self._rows: dict[str, int] = {}
        self._structure: Structure | None = None
        self._learned = 0

    @classmethod
    def build(
        cls,
        names: Sequence[str],
        vectors: Any,
        kind: Wanted = "auto",
        network: KnownNetwork | None = None,
        progress: Progress = _silent,
    ) -> Self:
        """An index of vectors.

        Args:
            names: [n], each once.
            vectors: [n, d] numbers of any length, such as :meth:`rankhub.Run.embed` gives.
            kind: flat, hnsw, ivfpq or auto; see :func:`rankhub_find.kinds.plan`.
            network: What made them.
            progress: ``progress(done, total, what)``.

        Raises:
            UserError: A name comes twice, a number is not finite, shapes do not fit, or the kind does not suit.
        """
        found = np.asarray(vectors)
        if found.ndim != 2 or not found.shape[1]:
            raise UserError(f"an index takes vectors [n, d], got the shape {list(found.shape)}")
        own = cls(found.shape[1], kind, network)
        own.append(names, found)
        own.settle(progress)
        return own

    @classmethod
    def open(cls, folder: str | Path, progress: Progress = _silent) -> Self:
        """The index in a folder.

        Raises:
            UserError: There is none, or it is damaged. No code in it is run: it holds numbers and names only.
        """
        place = Path(folder)
        manifest, names, arrays = store.read(place)
        own = cls(manifest.dim, manifest.wanted, manifest.network)
        own.names, own.vectors = names, arrays["vectors"].reshape(manifest.rows, manifest.dim)
        own._alive, own._learned = arrays["alive"], manifest.learned
        own._rows = {name: row for row, name in enumerate(names) if own._alive[row]}
        if len(own._rows) != int(own._alive.sum()):
            raise store.damaged(place, "a name is in it twice")
        if not _finite(own.vectors):
            raise store.damaged(place, "a vector is not finite")
        try:
            if manifest.kind != "flat":
                own.plan = plan(manifest.kind, manifest.rows, manifest.dim)
                own._structure = STRUCTURES[manifest.kind].of(own.vectors, arrays)
            elif not own._alive.all():
                raise Damaged("a flat index has no removed rows")
        except (Damaged, UserError, RuntimeError, MemoryError) as error:
            raise store.damaged(place, str(error).partition("\n")[0]) from None
        own.plan = own.plan if own._structure else plan("flat", manifest.rows, manifest.dim)
        return own

    def save(self, folder: str | Path) -> None:
        """Write it to a folder, in the place of an index that is there."""
        manifest = Manifest(
            kind=self.kind,
            wanted=self.wanted,
            rows=len(self.names),
            dim=self.dim,
            learned=self._learned,
            network=self.network,
            files={},
        )
        arrays: Arrays = {"vectors": self.vectors, "alive": self._alive.astype(np.uint8)}
        store.write(Path(folder), manifest, self.names, arrays | (self._structure.arrays() if self._structure else {}))

    @property
    def kind(self) -> Kind:
        """What it is now."""
        return self.plan.kind

    @property
    def dim(self) -> int:
        """Columns of a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    @property
    def why(self) -> str:
        """Why it is of its kind; "" where that was asked for."""
        return self.plan.why

    def known(self, names: Collection[str]) -> set[str]:
        """Those of the names that are in it."""
        return {name for name in names if name in self._rows}

    def barred(self, names: Collection[str]) -> None:
        """None: an image of any name can be in it."""

    def below(self, folder: str) -> list[str]:
        """The names in it that begin with a folder's path, which ends in a separator."""
        return [name for name in self._rows if name.startswith(folder)]

    def lines(self, more: int) -> dict[str, str]:
        """What it will be with ``more`` images, for a person."""
        return plan(self.wanted, len(self.names) + more, self.dim).lines()

    def append(self, names: Sequence[str], vectors: Any) -> None:
        """Add rows that are searched once :meth:`settle` is called; as :meth:`add`."""
        twice = next((name for name in names if name in self._rows), None)
        if twice is not None:
            raise UserError(f"{twice} is in the index already; remove it first")
        rows = unit_vectors(names, vectors, self.dim)
        self._rows |= {name: len(self.names) + number for number, name in enumerate(names)}
        self.names = [*self.names, *names]
        self.vectors = np.concatenate([self.vectors, rows])
        self._alive = np.concatenate([self._alive, np.ones(len(names), bool)])

    def add(self, names: Sequence[str], vectors: Any, progress: Progress = _silent) -> None:
        """Add vectors [n, d] under names that are not in it yet.

        With ``auto`` the kind may change, since it depends on the number of rows; ``ivfpq`` is learned anew once it has
        four times the rows that it was learned for.

        Raises:
            UserError: A name is in it already, a number is not finite, or the shapes do not fit.
        """
        self.append(names, vectors)
        self.settle(progress)

    def remove(self, names: Iterable[str], progress: Progress = _silent) -> int:
        """Take images out; returns how many. They are never found again.

        ``hnsw`` and ``ivfpq`` keep their rows until a third of all is removed, and are then built anew.

        Raises:
            UserError: A name is not in it; nothing is removed then.
        """
        gone = list(dict.fromkeys(names))
        unknown = [name for name in gone if name not in self._rows]
        if unknown:
            raise UserError(f"{unknown[0]} is not in the index")
        for name in gone:
            self._alive[self._rows.pop(name)] = False
        if self.kind == "flat" or 3 * int(self._alive.sum()) < 2 * len(self._alive):
            self.names = [name for name, alive in zip(self.names, self._alive, strict=True) if alive]
            self.vectors = np.ascontiguousarray(self.vectors[self._alive])
            self._alive = np.ones(len(self.names), bool)
            self._rows = {name: row for row, name in enumerate(self.names)}
            self._structure, self._learned = None, 0
            few = self.wanted == "ivfpq" and self.planned() is None
            if few:
                self.plan = plan("flat", len(self.names), self.dim)
            else:
                self.settle(progress)
        return len(gone)

    def planned(self) -> IndexPlan | None:
        """What :meth:`settle` would make; None where the rows are too few for the kind that is wanted."""
        try:
            return plan(self.wanted, len(self.names), self.dim)
        except UserError:
            return None

    def settle(self, progress: Progress = _silent) -> None:
        """Make the structure that the wanted kind needs, over all rows; what is there already is kept.

        Raises:
            UserError: There are too few rows for the kind.
        """
        wanted = plan(self.wanted, len(self.names), self.dim)
        built = self._built()
        if wanted.kind == "flat":
            self._structure, self._learned = None, 0
        elif self._structure is None or self.kind != wanted.kind or built * GROWN < len(self.names):
            self._structure = STRUCTURES[wanted.kind].built(wanted, self.vectors, progress)
            self._learned = len(self.names)
        elif len(self._structure) < len(self.names):
            self._structure.add(self.vectors[len(self._structure) :], progress)
        self.plan = wanted

    def _built(self) -> int:
        return self._learned if self.kind == "ivfpq" else len(self.names)

    def unsettled(self) -> None:
        """Make it flat for now, whatever kind is wanted, so that it can be saved at once; :meth:`settle` goes on."""
        self._structure, self._learned = None, 0
        self.plan = plan("flat", len(self.names), self.dim)

    def search(self, vectors: Any, k: int = 20) -> list[list[Match]]:
        """The k most similar images of each query [q, d], the most similar first; fewer where there are no more.

        Raises:
            UserError: Queries have another shape, or are not finite.
        """
        similarity, rows = self.nearest(vectors, k)
        found = zip(similarity.tolist(), rows.tolist(), strict=True)
        return [
            [Match(self.names[row], value, row) for value, row in zip(values, at, strict=True) if row >= 0]
            for values, at in found
        ]

    def nearest(self, vectors: Any, k: int) -> Found:
        """As :meth:`search`, in arrays: rounded cosines [q, k] and rows [q, k], -inf and -1 where there are no more."""
        return in_parts(unit_queries(vectors, self.dim, k), k, self._nearest)

    def _nearest(self, units: Floats, k: int) -> Found:
        if self._structure is None:
            return exact.search(units, self.vectors, k)
        alive = None if len(self._rows) == len(self.names) else self._alive
        rows = self._structure.candidates(units, k, alive).astype(np.int64)
        return exact.best_of(units, self.vectors, rows, k)

    def duplicates(self, above: float = 0.95, progress: Progress = _silent) -> list[Group]:
        """Groups of images that look alike: linked, directly or through others, by cosines of at least ``above``.

        A flat index compares all pairs, which takes time with the square of the rows. Others look among the nearest 32
        of each image, and among up to 1,024 where all of these are that near; they may miss a link.

        Raises:
            UserError: ``above`` is not within -1 and 1.
        """
        checked_above(above)
        flat = self._structure is None
        pairs = exact.pairs_above(self.vectors, above, progress) if flat else self._links(above, progress)
        groups = []
        for rows in components(len(self.names), pairs):
            first = np.array(self.vectors[rows[:1]])
            parts = np.array_split(rows, -(-len(rows) // QUERIES))
            near = [exact.similarities_of(first, self.vectors, part[None])[0] for part in parts]
            groups.append(Group([self.names[row] for row in rows.tolist()], np.concatenate(near).tolist()))
        return groups

    def _links(self, above: float, progress: Progress) -> Iterator[Ints]:
        """Pairs of rows that search finds to be near."""
        every = np.flatnonzero(self._alive)
        for first in range(0, len(every), QUERIES):
            yield from links(every[first : first + QUERIES], self._nearest_of, len(self.names), above)
            progress(min(first + QUERIES, len(every)), len(every), "compare")

    def _nearest_of(self, rows: Ints, k: int) -> tuple[npt.NDArray[np.float64], Ints]:
        return self._nearest(np.array(self.vectors[rows]), k)


def _finite(vectors: Floats) -> bool:
    return all(bool(np.isfinite(vectors[first : first + 2**16]).all()) for first in range(0, len(vectors), 2**16))
