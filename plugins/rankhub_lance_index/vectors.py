"""Vectors by name in a Lance table: read in parts, searched by what is in the table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_find.kinds import Progress
from rankhub_find.structures import Floats, Ints
from rankhub_lance import Store, open_table

T = TypeVar("T")

OFFSET = "_rowoffset"

NAMES = 2**16
"""Names that are read at a time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How an index is searched.

    Attributes:
        memory: Bytes of blocks of vectors and of Lance's caches.
        nprobes: Lists that are looked at; None = by their number.
        refine: Candidates compared by their whole vectors, for each neighbour that is wanted.
    """

    memory: int
    nprobes: int | None = None
    refine: int = 10

    def rows(self, dim: int, share: int) -> int:
        """Vectors that take a share of the memory: 8 = an eighth; at least 256."""
        return max(256, self.memory // (share * 4 * dim))


class LanceVectors(ABC):
    """A table with a column of names and a column of vectors, of which a row may have none.

    Rows are numbered as the table numbers them at the version at which it is open: from 0, in its order, those without
    a vector too.

    Args:
        store: Where the table is.
        version: Its version; None = the newest.
        dim: Columns of a vector.
        limits: What may be held of it.
        name: The column of names.
        vector: The column of vectors.
        prefix: Stands before each name, but not in the table.

    Raises:
        UserError: pylance is not installed, or the table or the version is not there.
    """

    def __init__(
        self, store: Store, version: int | None, dim: int, limits: Limits, name: str, vector: str, prefix: str = ""
    ) -> None:
        import lance

        open_table(store, version)  # says what is wrong, if anything
        caches = {"index_cache_size_bytes": limits.memory // 4, "metadata_cache_size_bytes": limits.memory // 16}
        self.table = store.ask("the table", lambda: lance.dataset(store.uri, version=version, **caches))
        self.store, self.dim, self.limits = store, dim, limits
        self.name, self.vector, self.prefix = name, vector, prefix

    def check_type(self) -> None:
        """See that the vectors are such as the index says.

        Raises:
            UserError: They are not.
        """
        import pyarrow as pa

        kind = self.table.schema.field(self.vector).type
        if not pa.types.is_fixed_size_list(kind) or kind.value_type != pa.float32() or kind.list_size != self.dim:
            raise UserError(
                f"the table {self.store.uri} has vectors of type {kind}, the index {self.dim} columns of float32; "
                "make the index again"
            )

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """What ``call`` gives, errors said in one sentence."""
        return self.store.ask(what, call)

    @abstractmethod
    def __len__(self) -> int:
        """Vectors that there are."""

    @property
    def rows(self) -> int:
        """Of the table, those without a vector too."""
        return int(self.ask("the number of rows", self.table.count_rows))

    @abstractmethod
    def newest(self) -> None:
        """Before a change: have the table as it is to be changed."""

    @abstractmethod
    def append(self, names: Sequence[str], vectors: Floats) -> None:
        """Add unit vectors [n, dim]."""

    @abstractmethod
    def delete(self, names: Collection[str]) -> None:
        """Take vectors out."""

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Whether something was added or taken out that is not searched before :meth:`write`."""

    @abstractmethod
    def announce(self) -> None:
        """Change the state to that of a writing which is under way; it is noted before :meth:`write`."""

    @abstractmethod
    def write(self, progress: Progress) -> None:
        """Let what waits be searched."""

    @abstractmethod
    def written(self) -> None:
        """Forget what waited, once the state after :meth:`write` is noted."""

    def named(self) -> Iterator[list[str]]:
        """The names of all vectors, a part at a time."""
        for batch in self.batches([self.name], NAMES):
            yield [self.prefix + name for name in batch.column(0).to_pylist()]

    def known(self, names: Collection[str]) -> set[str]:
        """Those of the names that are there; the table's names are read once, a part at a time."""
        wanted, found = set(names), set[str]()
        for part in self.named():
            found.update(wanted.intersection(part))
        return found

    def barred(self, names: Collection[str]) -> str | None:
        """Why a vector of one of these names cannot be there; None where all can."""
        return None

    def below(self, folder: str) -> list[str]:
        """The names that begin so."""
        return [name for part in self.named() for name in part if name.startswith(folder)]

    def names(self, rows: Ints) -> list[str]:
        """Of rows by their numbers."""
        return [f"{self.prefix}{name}" for name in self._take(rows, self.name).to_pylist()]

    def take(self, rows: Ints) -> Floats:
        """[m, dim] of rows by their numbers, which have vectors."""
        return self.matrix(self._take(rows, self.vector))

    def _take(self, rows: Ints, column: str) -> Any:
        distinct, inverse = np.unique(rows, return_inverse=True)
        listed = distinct.tolist()
        found = self.ask(f"{len(rows)} rows", lambda: self.table.take(listed, columns=[column]))
        return found.column(0).combine_chunks().take(inverse.reshape(-1))

    def blocks(self, rows: int, first: int = 0) -> Iterator[tuple[Ints, Floats]]:
        """From a row on, so many vectors at a time: their rows [m], ascending, and they [m, dim], the caller's.

        Raises:
            UserError: A vector is not finite.
        """
        parts: list[tuple[Ints, Floats]] = []
        held, at = 0, first
        for batch in self.batches([self.vector], min(rows, 8192), first):
            column = batch.column(0)
            numbers, left = at + valid_places(column), self.matrix(column)
            at += len(column)
            while len(left):
                parts.append((numbers[: rows - held], left[: rows - held]))
                numbers, left = numbers[rows - held :], left[rows - held :]
                held += len(parts[-1][0])
                if held == rows:
                    yield _joined(parts)
                    held, parts = 0, []
        if held:
            yield _joined(parts)

    def batches(self, columns: Sequence[str], rows: int, offset: int = 0, part: Any = None) -> Iterator[Any]:
        """All rows from one on, in order, so many at a time; of one fragment of the table (``part``), or of all."""
        width = 4 * self.dim if self.vector in columns else 64
        options: dict[str, Any] = {"io_buffer_size": max(2**22, self.limits.memory // 16), "scan_in_order": True}
        ahead = max(1, self.limits.memory // 16 // (rows * width))
        options |= {"batch_size": rows, "batch_readahead": min(16, ahead), "fragment_readahead": 1}
        fragments = {} if part is None else {"fragments": [part]}
        scanner = self.table.scanner(columns=list(columns), offset=offset or None, **options, **fragments)
        yield from self.ask("the vectors", scanner.to_batches)

    def matrix(self, column: Any) -> Floats:
        """[n, dim] of an array of lists, without those that are null."""
        found: Floats = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, self.dim)
        if not np.isfinite(found).all():
            raise UserError(f"a vector of the table {self.store.uri} is not finite; make the index again")
        return found

    def candidates(self, query: Floats, k: int, nprobes: int) -> tuple[Ints, Floats]:
        """Rows [m] and vectors [m, dim] of the k that the table's index finds for a query [dim]."""
        near = {"column": self.vector, "q": query, "k": k, "nprobes": nprobes, "refine_factor": self.limits.refine}
        scanner = self.table.scanner(columns=[OFFSET, self.vector, "_distance"], nearest=near)
        found = self.ask("neighbours", scanner.to_table)
        column = found.column(self.vector).combine_chunks()
        rows = found.column(OFFSET).to_numpy().astype(np.int64)[valid_places(column)]
        return rows, self.matrix(column)

    @property
    def lists(self) -> int:
        """Of its IVF-PQ; 0 where it has none."""
        if not self.described:
            return 0
        model = self.table.get_ivf_model(f"{self.vector}_idx")
        return len(model.centroids)

    @property
    def described(self) -> list[Any]:
        """Its IVF-PQ, if it has one."""
        return [one for one in self.table.describe_indices() if self.vector in one.field_names]

    @property
    def unlearned(self) -> int:
        """Rows that its IVF-PQ does not have, and that a search compares one by one."""
        return self.rows - sum(int(one.num_rows_indexed) for one in self.described)

    def learn(self, lists: int) -> None:
        """Make IVF-PQ in the table, in the place of one that is there."""
        self.newest()
        parts = self.dim // next(width for width in (4, 5, 3, 2, 1) if self.dim % width == 0)
        how: dict[str, Any] = {"metric": "L2", "num_partitions": lists, "num_sub_vectors": parts, "replace": True}
        name = f"{self.vector}_idx"
        self.ask("IVF-PQ", lambda: self.table.create_index(self.vector, "IVF_PQ", name=name, **how))
        self.table.checkout_latest()

    def extend(self) -> None:
        """Let its IVF-PQ have the rows that it does not have, in one piece.

        Lance would add a piece each time, and searches that run beside each other wait for one another for ever once
        there are more pieces than the machine has cores (pylance 14.0.2).
        """
        self.newest()
        how: dict[str, Any] = {"index_names": [f"{self.vector}_idx"], "num_indices_to_merge": 2**16}
        self.ask("IVF-PQ", lambda: self.table.optimize.optimize_indices(**how))
        self.table.checkout_latest()

    def forget(self) -> None:
        """Take IVF-PQ out of the table."""
        self.newest()
        self.ask("the index", lambda: self.table.drop_index(f"{self.vector}_idx"))
        self.table.checkout_latest()


def valid_places(column: Any) -> Ints:
    """[m] places in an array at which it is not null."""
    if not column.null_count:
        return np.arange(len(column))
    return np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))


def _joined(parts: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([vectors for _, vectors in parts])
