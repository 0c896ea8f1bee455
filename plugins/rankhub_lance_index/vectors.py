"""Vectors by name in a Lance table: read in parts, searched by what is in the table, added and removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_find.structures import Floats, Ints
from rankhub_lance import Store, open_table

NAME, VECTOR, OFFSET = "name", "vector", "_rowoffset"

_ASKED = 1000
"""Names that are asked for in one condition."""


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


class LanceVectors:
    """A table with a name and a vector a row, at one version until it is changed.

    Args:
        store: Where the table is.
        version: Its version.
        dim: Columns of a vector.
        limits: What may be held of it.

    Raises:
        UserError: pylance is not installed, the table or the version is not there, or it has other columns.
    """

    def __init__(self, store: Store, version: int, dim: int, limits: Limits) -> None:
        import lance

        open_table(store, version)  # says what is wrong, if anything
        caches = {"index_cache_size_bytes": limits.memory // 4, "metadata_cache_size_bytes": limits.memory // 16}
        self.table = store.ask("the table", lambda: lance.dataset(store.uri, version=version, **caches))
        self.store, self.dim, self.limits = store, dim, limits
        self._check()

    def _check(self) -> None:
        import pyarrow as pa

        schema = self.table.schema
        for name in (NAME, VECTOR):
            if name not in schema.names:
                raise UserError(f"the table {self.store.uri} has no column {name}; it is no index's")
        kind = schema.field(VECTOR).type
        if not pa.types.is_fixed_size_list(kind) or kind.value_type != pa.float32() or kind.list_size != self.dim:
            raise UserError(
                f"the table {self.store.uri} has vectors of type {kind}, the index {self.dim} columns of float32; "
                "make the index again"
            )

    @staticmethod
    def begin(store: Store, dim: int, token: str) -> int:
        """Make a table without rows; returns its version."""
        import lance
        import pyarrow as pa

        schema = pa.schema([(NAME, pa.string()), (VECTOR, pa.list_(pa.float32(), dim))], {b"rankhub.index": token})
        made = store.ask("a new table", lambda: lance.write_dataset(schema.empty_table(), store.uri, schema=schema))
        return int(made.version)

    @property
    def token(self) -> str:
        """What tells this table from others."""
        return str((self.table.schema.metadata or {}).get(b"rankhub.index", b"").decode())

    def __len__(self) -> int:
        return int(self.store.ask("the number of rows", self.table.count_rows))

    def append(self, names: Sequence[str], vectors: Floats) -> None:
        """Add unit vectors [n, dim]."""
        import lance
        import pyarrow as pa

        self._newest()
        values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), self.dim)
        data = pa.table([pa.array(names, pa.string()), values], schema=self.table.schema)
        self.store.ask("room for vectors", lambda: lance.write_dataset(data, self.store.uri, mode="append"))
        self.table.checkout_latest()

    def delete(self, names: Collection[str]) -> None:
        """Take rows out."""
        self._newest()
        for part in _conditions(names):
            self.store.ask("room for changes", partial(self.table.delete, part))

    def _newest(self) -> None:
        """What a call that was killed has written behind this version is undone."""
        if self.table.latest_version != self.table.version:
            self.store.ask("the version", self.table.restore)
            self.table.checkout_latest()

    def known(self, names: Collection[str]) -> set[str]:
        """Those of the names that are there; the table's names are read once, a part at a time."""
        wanted, found = set(names), set[str]()
        for batch in self._batches([NAME], 2**16):
            found.update(wanted.intersection(batch.column(0).to_pylist()))
        return found

    def below(self, folder: str) -> list[str]:
        """The names that begin so."""
        batches = self._batches([NAME], 2**16)
        return [name for batch in batches for name in batch.column(0).to_pylist() if name.startswith(folder)]

    def names(self, rows: Ints) -> list[str]:
        """Of rows by their numbers."""
        return [str(name) for name in self._take(rows, NAME).to_pylist()]

    def take(self, rows: Ints) -> Floats:
        """[m, dim] of rows by their numbers."""
        return self._matrix(self._take(rows, VECTOR))

    def _take(self, rows: Ints, column: str) -> Any:
        distinct, inverse = np.unique(rows, return_inverse=True)
        listed = distinct.tolist()
        found = self.store.ask(f"{len(rows)} rows", lambda: self.table.take(listed, columns=[column]))
        return found.column(0).combine_chunks().take(inverse.reshape(-1))

    def blocks(self, rows: int, first: int = 0) -> Iterator[tuple[int, Floats]]:
        """From a row on, so many at a time: number of the first, and vectors [m, dim] that are the caller's.

        Raises:
            UserError: A vector is not finite.
        """
        parts: list[Floats] = []
        held = 0
        for batch in self._batches([VECTOR], min(rows, 8192), first):
            left = self._matrix(batch.column(0))
            while len(left):
                parts.append(left[: rows - held])
                left = left[rows - held :]
                held += len(parts[-1])
                if held == rows:
                    yield first, np.concatenate(parts)
                    first, held, parts = first + held, 0, []
        if held:
            yield first, np.concatenate(parts)

    def _batches(self, columns: Sequence[str], rows: int, offset: int = 0) -> Iterator[Any]:
        width = 4 * self.dim if VECTOR in columns else 64
        options: dict[str, Any] = {"io_buffer_size": max(2**22, self.limits.memory // 16), "scan_in_order": True}
        ahead = max(1, self.limits.memory // 16 // (rows * width))
        options |= {"batch_size": rows, "batch_readahead": min(16, ahead), "fragment_readahead": 1}
        scanner = self.table.scanner(columns=list(columns), offset=offset or None, **options)
        yield from self.store.ask("the vectors", scanner.to_batches)

    def _matrix(self, column: Any) -> Floats:
        """[n, dim] of an array of lists."""
        found: Floats = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, self.dim)
        if not np.isfinite(found).all():
            raise UserError(f"a vector of the table {self.store.uri} is not finite; make the index again")
        return found

    def candidates(self, query: Floats, k: int, nprobes: int) -> tuple[Ints, Floats]:
        """Rows [m] and vectors [m, dim] of the k that the table's index finds for a query [dim]."""
        near = {"column": VECTOR, "q": query, "k": k, "nprobes": nprobes, "refine_factor": self.limits.refine}
        scanner = self.table.scanner(columns=[OFFSET, VECTOR, "_distance"], nearest=near)
        found = self.store.ask("neighbours", scanner.to_table)
        rows = found.column(OFFSET).to_numpy().astype(np.int64)
        return rows, self._matrix(found.column(VECTOR).combine_chunks())

    @property
    def lists(self) -> int:
        """Of its IVF-PQ; 0 where it has none."""
        if not self._described:
            return 0
        model = self.table.get_ivf_model(f"{VECTOR}_idx")
        return len(model.centroids)

    @property
    def _described(self) -> list[Any]:
        return [one for one in self.table.describe_indices() if VECTOR in one.field_names]

    @property
    def unlearned(self) -> int:
        """Rows that its IVF-PQ does not have, and that a search compares one by one."""
        return len(self) - sum(int(one.num_rows_indexed) for one in self._described)

    def learn(self, lists: int) -> None:
        """Make IVF-PQ in the table, in the place of one that is there."""
        self._newest()
        parts = self.dim // next(width for width in (4, 5, 3, 2, 1) if self.dim % width == 0)
        how: dict[str, Any] = {"metric": "L2", "num_partitions": lists, "num_sub_vectors": parts, "replace": True}
        self.store.ask("IVF-PQ", lambda: self.table.create_index(VECTOR, "IVF_PQ", name=f"{VECTOR}_idx", **how))
        self.table.checkout_latest()

    def extend(self) -> None:
        """Let its IVF-PQ have the rows that it does not have."""
        self._newest()
        self.store.ask("IVF-PQ", self.table.optimize.optimize_indices)
        self.table.checkout_latest()

    def forget(self) -> None:
        """Take IVF-PQ out of the table."""
        self._newest()
        self.store.ask("the index", lambda: self.table.drop_index(f"{VECTOR}_idx"))
        self.table.checkout_latest()


def _conditions(names: Collection[str]) -> Iterator[str]:
    """Of SQL, that a row has one of the names."""
    listed = ["'" + name.replace("'", "''") + "'" for name in names]
    for first in range(0, len(listed), _ASKED):
        yield f"{NAME} IN ({', '.join(listed[first : first + _ASKED])})"
