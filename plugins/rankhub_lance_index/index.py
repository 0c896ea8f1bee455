"""An index whose vectors lie in a Lance table, its own or the images': nothing that grows with their number is held."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub_find import exact
from rankhub_find.checks import QUERIES, Found, checked_above, in_parts, unit_queries, unit_vectors
from rankhub_find.duplicates import Group, components, links
from rankhub_find.index import GROWN, Match
from rankhub_find.kinds import FLAT_BELOW, Progress, Wanted, plan, size_of
from rankhub_find.store import KnownNetwork
from rankhub_find.stores import StoreNote, is_index, read_note, write_note
from rankhub_find.structures import Floats, Ints
from rankhub_lance_index.column import TableColumn, column_for
from rankhub_lance_index.own import OwnTable
from rankhub_lance_index.state import OwnState, read_state
from rankhub_lance_index.vectors import Limits
from rankhub_train.waiting import cores
from rankhub_use.places import ImagePlace

if TYPE_CHECKING:
    from rankhub_find.kinds import Kind

OWN = "rankhub_lance_index/lance"

A_LIST = 4096
"""Rows of a list of IVF-PQ, about."""

_SLACK = 16
"""Candidates beyond those that are wanted."""


def _silent(done: int, total: int, what: str) -> None:
    """Progress that is not shown."""


class LanceIndex:
    """Vectors by name in a Lance table; a :class:`rankhub_find.stores.VectorIndex`.

    ``flat`` gives exactly what :class:`rankhub_find.Index` gives, since the same comparison is made a block at a time;
    ``ivfpq`` may miss rows, and those that it finds have exact similarities.

    Made by :meth:`create` and :meth:`open`.

    Attributes:
        network: What made the vectors.
        wanted: The kind that was asked for, which ``auto`` leaves open.
        vectors: The table, or the column of one.
    """

    def __init__(self, folder: Path, network: KnownNetwork, wanted: Wanted, vectors: OwnTable | TableColumn) -> None:
        self.network, self.wanted, self._folder, self.vectors = network, wanted, folder, vectors
        self.portion = min(2**16, vectors.limits.rows(vectors.dim, 16))
        self._lists = vectors.lists
        self._apart = ""

    @classmethod
    def create(
        cls,
        folder: Path,
        dim: int,
        network: KnownNetwork,
        wanted: Wanted,
        limits: Limits,
        images: ImagePlace | None = None,
        beside: bool = False,
    ) -> Self:
        """An index without vectors: in a column of the images' table, where they have one, or in a table of its own.

        Args:
            folder: The index's, with what is in it.
            dim: Columns of a vector.
            network: What will make the vectors.
            wanted: The kind.
            limits: What may be held.
            images: The place that all images come from.
            beside: Whether their table is left alone.

        Raises:
            UserError: There is no such kind in Lance, or the images' table cannot be opened.
        """
        _kind(wanted, 0, dim)
        folder.mkdir(parents=True, exist_ok=True)
        table, why = (None, "") if beside else column_for(images)
        if table is None:
            own = cls(folder, network, wanted, OwnTable.begin(folder, dim, limits))
            own._apart = why
            return own
        own = cls(folder, network, wanted, TableColumn.begin(folder, table, network, dim, limits))
        if not is_index(folder):  # so that what waits is known again where this call is killed
            own._note()
        return own

    @classmethod
    def open(cls, folder: Path, limits: Limits) -> Self:
        """The index in a folder, as it was saved.

        Raises:
            UserError: Its table is not there, is another, or is not as it was saved.
        """
        note = read_note(folder)
        state = read_state(folder, note)
        vectors: OwnTable | TableColumn
        if isinstance(state, OwnState):
            vectors = OwnTable.open(folder, state, note.dim, limits)
        else:
            vectors = TableColumn.open(folder, state, note.dim, limits)
        return cls(folder, note.network, note.wanted, vectors)

    def save(self, folder: Path) -> None:
        """Let its folder hold it as it is now; tables of indexes that were there before are deleted.

        Raises:
            UserError: It is another folder: the vectors are in the first.
        """
        if folder.resolve() != self._folder.resolve():
            raise UserError(f"this index lies in {self._folder}; copy that folder to have it at {folder}")
        self._write(_silent)
        self._note()
        state = self.vectors.state
        for other in folder.glob("vectors-*.lance"):
            if other.name != (state.table if isinstance(state, OwnState) else state.staged):
                shutil.rmtree(other, ignore_errors=True)

    def _note(self) -> None:
        state = self.vectors.noted().model_dump()
        note = StoreNote(store=OWN, wanted=self.wanted, dim=self.dim, network=self.network, state=state)
        write_note(self._folder, note)

    def _write(self, progress: Progress) -> None:
        """Write what waits; whenever that is killed, the folder's note fits what is in the table."""
        if self.vectors.waiting:
            self.vectors.announce()
            self._note()
            self.vectors.write(progress)
            self._note()
            self.vectors.written()
            self._lists = self.vectors.lists

    @property
    def dim(self) -> int:
        """Columns of a vector."""
        return self.vectors.dim

    @property
    def kind(self) -> Kind:
        """What it is now."""
        return "ivfpq" if self._lists else "flat"

    @property
    def why(self) -> str:
        """Why it is of its kind; "" where that was asked for."""
        return _kind(self.wanted, len(self), self.dim)[1]

    def __len__(self) -> int:
        return len(self.vectors)

    def known(self, names: Collection[str]) -> set[str]:
        """Those of the names that are in it."""
        return self.vectors.known(names)

    def barred(self, names: Collection[str]) -> str | None:
        """Why an image of one of these names cannot be in it: in the column of a table are those of the table alone."""
        return self.vectors.barred(names)

    def below(self, folder: str) -> list[str]:
        """The names in it that begin with a folder's path, which ends in a separator."""
        return self.vectors.below(folder)

    def lines(self, more: int) -> dict[str, str]:
        """What it will be with ``more`` images, for a person."""
        rows = len(self) + more
        kind, why = _kind(self.wanted, rows, self.dim)
        learned = f"{256 * _lists(rows):,} rows at most, {_lists(rows):,} lists" if kind == "ivfpq" else "none"
        apart = f" of its own, since {self._apart}" if self._apart else ""
        said = f"{kind} in {self.vectors.said}{apart}, {rows:,} vectors of {self.dim} columns"
        said += f": {why}" if why else ""
        held = f"at most about {size_of(self.vectors.limits.memory)} of vectors (memory_gb)"
        return {"index": said, "training": learned, "memory": f"{held}; {size_of(4 * rows * self.dim)} on the disk"}

    def append(self, names: Sequence[str], vectors: Any) -> None:
        """Add rows under names that are not in it, which :meth:`known` tells; as :meth:`add` does, unsettled."""
        self.vectors.append(names, unit_vectors(names, vectors, self.dim))

    def add(self, names: Sequence[str], vectors: Any, progress: Progress = _silent) -> None:
        """Add vectors [n, d] under names that are not in it yet.

        Raises:
            UserError: A name is in it already, a number is not finite, or the shapes do not fit.
        """
        there = self.known(names)
        if there:
            raise UserError(f"{min(there)} is in the index already; remove it first")
        self.append(names, vectors)
        self.settle(progress)

    def settle(self, progress: Progress = _silent) -> None:
        """Make IVF-PQ where the kind needs it; what is there is extended, or learned anew at four times the rows.

        Raises:
            UserError: There are too few rows for the kind.
        """
        self._write(progress)
        rows, state = len(self), self.vectors.state
        kind, _ = _kind(self.wanted, rows, self.dim)
        if kind == "flat":
            if self._lists:
                self.vectors.forget()
        elif not self._lists or state.learned * GROWN < rows:
            progress(0, 1, f"ivfpq: {_lists(rows):,} lists of {rows:,} rows")
            self.vectors.learn(_lists(rows))
            state.learned = rows
            progress(1, 1, f"ivfpq: {_lists(rows):,} lists of {rows:,} rows")
        elif self.vectors.unlearned:
            self.vectors.extend()
        self._lists = self.vectors.lists

    def unsettled(self) -> None:
        """Let all be searched as it is: what IVF-PQ does not have yet is compared one by one."""
        self._write(_silent)

    def remove(self, names: Iterable[str], progress: Progress = _silent) -> int:
        """Take images out; returns how many.

        Raises:
            UserError: A name is not in it; nothing is removed then.
        """
        gone = list(dict.fromkeys(names))
        there = self.known(gone)
        unknown = [name for name in gone if name not in there]
        if unknown:
            raise UserError(f"{unknown[0]} is not in the index")
        self.vectors.delete(gone)
        self._write(progress)
        if self.wanted == "auto":
            self.settle(progress)
        elif self._lists and self.vectors.unlearned:
            self.vectors.extend()
        return len(gone)

    def search(self, vectors: Any, k: int = 20) -> list[list[Match]]:
        """The k most similar images of each query [q, d], the most similar first; fewer where there are no more.

        Raises:
            UserError: Queries have another shape, or are not finite.
        """
        similarity, rows = self.nearest(vectors, k)
        which = np.unique(rows[rows >= 0])
        names = dict(zip(which.tolist(), self.vectors.names(which) if len(which) else [], strict=True))
        found = zip(similarity.tolist(), rows.tolist(), strict=True)
        return [
            [Match(names[row], value, row) for value, row in zip(values, at, strict=True) if row >= 0]
            for values, at in found
        ]

    def nearest(self, vectors: Any, k: int) -> Found:
        """Rounded cosines [q, k] and rows [q, k], -inf and -1 where there are no more."""
        return in_parts(unit_queries(vectors, self.dim, k), k, self._nearest)

    def _nearest(self, units: Floats, k: int) -> Found:
        if self._lists:
            with ThreadPoolExecutor(cores()) as pool:
                found = list(pool.map(lambda query: self._found(query, k), units))
            return np.stack([one[0] for one in found]), np.stack([one[1] for one in found])
        best, at = np.full((len(units), k), -np.inf), np.full((len(units), k), -1, np.int64)
        for numbers, block in self.vectors.blocks(self.vectors.limits.rows(self.dim, 8)):
            similarity, rows = exact.search(units, block, k)
            rows = np.where(rows < 0, -1, numbers[rows])
            best, at = exact.ranked(np.concatenate([best, similarity], 1), np.concatenate([at, rows], 1), k)
        return best, at

    def _found(self, query: Floats, k: int) -> Found:
        """Of one query [d], by IVF-PQ: its candidates are compared as all comparisons are made."""
        nprobes = self.vectors.limits.nprobes or max(16, self._lists // 16)
        rows, near = self.vectors.candidates(query, k + _SLACK, min(nprobes, self._lists))
        similarity = exact.similarities_of(query[None], near, np.arange(len(rows))[None])
        best, at = exact.ranked(similarity, rows[None], k)
        return best[0], at[0]

    def duplicates(self, above: float = 0.95, progress: Progress = _silent) -> list[Group]:
        """Groups of images that look alike: linked, directly or through others, by cosines of at least ``above``.

        A flat index compares all pairs, a block of rows with all later ones, which are read again for each block.
        IVF-PQ looks among the nearest of each image, as :meth:`rankhub_find.Index.duplicates`, and may miss a link.

        Raises:
            UserError: ``above`` is not within -1 and 1.
        """
        checked_above(above)
        pairs = self._links(above, progress) if self._lists else self._pairs(above, progress)
        groups = []
        for rows in components(self.vectors.rows, pairs):
            first, names, near = self.vectors.take(rows[:1]), list[str](), list[npt.NDArray[np.float64]]()
            for part in np.array_split(rows, -(-len(rows) // QUERIES)):
                names += self.vectors.names(part)
                others = self.vectors.take(part)
                near.append(exact.similarities_of(first, others, np.arange(len(part))[None])[0])
            groups.append(Group(names, np.concatenate(near).tolist()))
        return groups

    def _pairs(self, above: float, progress: Progress) -> Iterator[Ints]:
        """All pairs that are near: within a block, then between it and each later one."""
        count, size = self.vectors.rows, self.vectors.limits.rows(self.dim, 8)
        for numbers, own in self.vectors.blocks(size):
            for pairs in exact.pairs_above(own, above, _silent):
                yield numbers[pairs]
            for later, others in self.vectors.blocks(size, int(numbers[-1]) + 1):
                for top in range(0, len(own), exact.SIDE):
                    for left in range(0, len(others), exact.SIDE):
                        pairs = exact.pairs_between(
                            own[top : top + exact.SIDE], others[left : left + exact.SIDE], above
                        )
                        yield np.stack([numbers[top + pairs[:, 0]], later[left + pairs[:, 1]]], axis=1)
            progress(int(numbers[-1]) + 1, count, "compare")

    def _links(self, above: float, progress: Progress) -> Iterator[Ints]:
        """Pairs of rows that search finds to be near."""
        count, total = len(self), self.vectors.rows
        for numbers, _ in self.vectors.blocks(QUERIES):
            yield from links(numbers, lambda which, k: self._nearest(self.vectors.take(which), k), count, above)
            progress(int(numbers[-1]) + 1, total, "compare")


def _kind(wanted: Wanted, rows: int, dim: int) -> tuple[Kind, str]:
    """What an index of so many rows is, and why.

    Raises:
        UserError: There is no such kind in Lance, or too few rows for ivfpq.
    """
    if wanted == "hnsw":
        raise UserError("the store lance has the kinds flat and ivfpq, and auto; hnsw is in memory: --store faiss")
    if wanted == "auto" and rows < FLAT_BELOW:
        return "flat", f"exact, and fast enough below {FLAT_BELOW:,} rows"
    if wanted == "auto":
        return "ivfpq", f"from {FLAT_BELOW:,} rows on"
    if rows:
        plan(wanted, rows, dim)  # says where there are too few
    return wanted, ""


def _lists(rows: int) -> int:
    """Lists of IVF-PQ for so many rows."""
    return max(1, rows // A_LIST)
