"""Vectors in a table of an index's own, in the index's folder."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from rankhub.interfaces.errors import UserError
from rankhub_find.kinds import Progress
from rankhub_find.structures import Floats
from rankhub_lance import Store, open_table
from rankhub_lance_index.state import OwnState
from rankhub_lance_index.vectors import LanceVectors, Limits

NAME, VECTOR = "name", "vector"

_ASKED = 1000
"""Names that are asked for in one condition."""


class OwnTable(LanceVectors):
    """A table with a name and a vector a row, at one version until it is changed.

    Attributes:
        state: What the index's note says of it.
    """

    def __init__(self, folder: Path, state: OwnState, dim: int, limits: Limits) -> None:
        super().__init__(Store.of(folder / state.table), state.version, dim, limits, NAME, VECTOR)
        self.state = state
        for name in (NAME, VECTOR):
            if name not in self.table.schema.names:
                raise UserError(f"the table {self.store.uri} has no column {name}; it is no index's")
        self.check_type()

    @classmethod
    def begin(cls, folder: Path, dim: int, limits: Limits, name: str | None = None) -> Self:
        """A new table without rows, in the place of one of its name."""
        import lance
        import pyarrow as pa

        token = uuid.uuid4().hex
        state = OwnState(table=name or new_name(), token=token, version=0)
        store = Store.of(folder / state.table)
        if (folder / state.table).exists():
            shutil.rmtree(folder / state.table)
        schema = pa.schema([(NAME, pa.string()), (VECTOR, pa.list_(pa.float32(), dim))], {b"rankhub.index": token})
        made = store.ask("a new table", lambda: lance.write_dataset(schema.empty_table(), store.uri, schema=schema))
        state.version = int(made.version)
        return cls(folder, state, dim, limits)

    @classmethod
    def open(cls, folder: Path, state: OwnState, dim: int, limits: Limits) -> Self:
        """The table as it was noted.

        Raises:
            UserError: It is not there, is another, or is not as it was.
        """
        own = cls(folder, state, dim, limits)
        token = (own.table.schema.metadata or {}).get(b"rankhub.index", b"").decode()
        if token != state.token or len(own) != state.rows:
            raise UserError(
                f"the table {own.store.uri} is not the one of the index {folder} ({state.rows:,} rows); "
                "make the index again"
            )
        return own

    @classmethod
    def last(cls, folder: Path, name: str, dim: int, limits: Limits) -> Self:
        """A table in the folder with all that was added to it, whether that was noted or not.

        Raises:
            UserError: It cannot be opened.
        """
        version = int(open_table(Store.of(folder / name)).version)
        return cls(folder, OwnState(table=name, token="0" * 32, version=version), dim, limits)

    @property
    def said(self) -> str:
        """Where the vectors are, for a person."""
        return "a Lance table"

    def __len__(self) -> int:
        return self.rows

    def noted(self) -> OwnState:
        """What is to be noted of it now."""
        self.state.version, self.state.rows = int(self.table.version), len(self)
        return self.state

    def newest(self) -> None:
        """What a call that was killed has written behind this version is undone."""
        if self.table.latest_version != self.table.version:
            self.ask("the version", self.table.restore)
            self.table.checkout_latest()

    def append(self, names: Sequence[str], vectors: Floats) -> None:
        """Add unit vectors [n, dim]."""
        import lance
        import pyarrow as pa

        self.newest()
        values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), self.dim)
        data = pa.table([pa.array(names, pa.string()), values], schema=self.table.schema)
        self.ask("room for vectors", lambda: lance.write_dataset(data, self.store.uri, mode="append"))
        self.table.checkout_latest()

    def delete(self, names: Collection[str]) -> None:
        """Take rows out."""
        self.newest()
        for part in _conditions(names):
            self.ask("room for changes", partial(self.table.delete, part))

    waiting = False
    """Rows are added and taken out at once."""

    def announce(self) -> None:
        """Nothing."""

    def write(self, progress: Progress) -> None:
        """Nothing."""

    def written(self) -> None:
        """Nothing."""


def new_name() -> str:
    """A name for a table in an index's folder."""
    return f"vectors-{uuid.uuid4().hex[:12]}.lance"


def _conditions(names: Collection[str]) -> Iterator[str]:
    """Of SQL, that a row has one of the names."""
    listed = ["'" + name.replace("'", "''") + "'" for name in names]
    for first in range(0, len(listed), _ASKED):
        yield f"{NAME} IN ({', '.join(listed[first : first + _ASKED])})"
