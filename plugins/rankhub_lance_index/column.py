"""Vectors in a column of the table that has the images, which `rankhub pack` has made.

Vectors wait in a table in the index's folder until they are written: their order is the caller's, and a column's file
holds all rows of a fragment. Writing makes new files of the column for those fragments in which it changes, beside
those of the other columns, which are not touched, and commits them at once. The token in the table's configuration
says whose the column is and how it was left, so that a table that was replaced or set back is not searched.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from rankhub.interfaces.errors import UserError
from rankhub_find.kinds import Progress
from rankhub_find.store import KnownNetwork
from rankhub_find.structures import Floats
from rankhub_lance import Rows, Store, StoreError
from rankhub_lance_index.own import OwnTable, new_name
from rankhub_lance_index.rewriting import ATTEMPTS, Rewriting, is_conflict
from rankhub_lance_index.state import ColumnState
from rankhub_lance_index.vectors import NAMES, LanceVectors, Limits, valid_places
from rankhub_use.places import ImagePlace

T = TypeVar("T")

ID, PACKED = "id", b"rankhub"
"""Of packed tables: the column of names, and what in the schema's metadata says that it is one."""

_REMEDY = "make the index again with `rankhub index RUN TABLE --out FOLDER --force`"


class TableColumn(LanceVectors):
    """A column of a packed table, open at the newest version; rows without a vector are null.

    Made by :meth:`begin` and :meth:`open`.

    Args:
        folder: The index's.
        state: What the index's note says of the column.
        uri: Where the table is.
        dim: Columns of a vector.
        limits: What may be held of it.

    Raises:
        UserError: The table is not there, was not packed, or does not have the column as the index has left it.
    """

    def __init__(self, folder: Path, state: ColumnState, uri: str, dim: int, limits: Limits) -> None:
        super().__init__(Store.of(uri), None, dim, limits, ID, state.column, f"{uri}/")
        self.folder, self.state = folder, state
        self._gone: set[str] = set()
        self._own: OwnTable | None = None
        self.check()

    @classmethod
    def begin(cls, folder: Path, table: Rows, network: KnownNetwork, dim: int, limits: Limits) -> Self:
        """A column without vectors; the table is not touched, whatever an earlier index has left in that column."""
        uri = table.store.uri
        state = ColumnState(table=uri, beside=None, column=column_name(network), staged=new_name())
        return cls(folder, state, uri, dim, limits)

    @classmethod
    def open(cls, folder: Path, state: ColumnState, dim: int, limits: Limits) -> Self:
        """The column of an index, in the table beside its folder or where the table was.

        Raises:
            UserError: It is at neither, or not as it was left.
        """
        beside = [] if state.beside is None else [os.path.join(os.path.dirname(os.path.abspath(folder)), state.beside)]
        error: UserError | None = None
        for uri in dict.fromkeys([*beside, state.table]):
            if not os.path.isdir(uri):
                continue
            try:
                return cls(folder, state, uri, dim, limits)
            except UserError as found:
                error = error or found
        raise error or UserError(
            f"there is no table {state.table}, in which the index {folder} has its vectors; put it back there or "
            f"beside the index, or {_REMEDY}"
        )

    def check(self) -> None:
        """See that the table is a packed one and has the column as this index has left it.

        Raises:
            UserError: It is not; the sentence says what it is.
        """
        state, schema = self.state, self.table.schema
        if not is_packed(schema):
            raise UserError(f"the table {self.store.uri} was not made by rankhub pack; {_REMEDY}")
        there = self.table.config().get(self._key, "")
        if state.coming and there == state.coming:  # of a call that was killed when it had written
            state.token, state.coming = state.coming, ""
        if not state.token:
            return
        if self.vector not in schema.names:
            raise UserError(
                f"the table {self.store.uri} has no column {self.vector} any more, in which the index {self.folder} "
                f"has its vectors: it was replaced, set back or changed; {_REMEDY}"
            )
        if there != state.token:
            raise UserError(
                f"the column {self.vector} of the table {self.store.uri} is not as the index {self.folder} has left it "
                f"(version {state.version}): the table was replaced or set back, or another index was made in it; "
                f"{_REMEDY}"
            )
        self.check_type()

    @property
    def _key(self) -> str:
        return f"rankhub.index.{self.vector}"

    @property
    def said(self) -> str:
        """Where the vectors are, for a person."""
        return f"the column {self.vector} of the table {self.store.uri}"

    def noted(self) -> ColumnState:
        """What is to be noted of it now."""
        state, uri = self.state, self.store.uri
        here = os.path.dirname(os.path.abspath(self.folder))
        state.table, state.beside = uri, os.path.basename(uri) if os.path.dirname(uri) == here else None
        state.version, state.rows = int(self.table.version), len(self)
        now = {self.part_key(part) for part in self.table.get_fragments()}
        state.counts = {key: count for key, count in state.counts.items() if key in now}
        return state

    @property
    def field(self) -> int:
        """The column's number in the table's files; -1 where there is no such column."""
        numbers = {field.name(): int(field.id()) for field in self.table.lance_schema.fields()}
        return numbers.get(self.vector, -1)

    def part_key(self, fragment: Any) -> str:
        """What says which vectors a fragment has: the column's file, and that of its deleted rows; "" = it has none."""
        number = self.field
        file = next((str(file.path) for file in fragment.metadata.files if number in file.fields), "")
        return f"{file} {fragment.deletion_file() or ''}".rstrip() if file else ""

    def _count(self, fragment: Any) -> int:
        key = self.part_key(fragment)
        if key and key not in self.state.counts:
            batches = self.batches([self.vector], 8192, part=fragment)
            self.state.counts[key] = sum(len(batch) - batch.column(0).null_count for batch in batches)
        return self.state.counts[key] if key else 0

    def __len__(self) -> int:
        return sum(map(self._count, self.table.get_fragments())) if self.state.token else 0

    def ask(self, what: str, call: Callable[[], T]) -> T:
        """As in the base; a change that another one has come before is tried again."""
        for _ in range(ATTEMPTS):
            try:
                return self.store.ask(what, call)
            except StoreError as error:
                if not is_conflict(error):
                    raise
                self.table.checkout_latest()
        raise self.busy()

    def busy(self) -> UserError:
        """For a change that others came before each time."""
        return UserError(
            f"the table {self.store.uri} is changed by others all the time; let them end, then go on with --add"
        )

    def newest(self) -> None:
        """Have the table as it is now, also with what others have added to it."""
        self.ask("the newest version", self.table.checkout_latest)
        self.check()

    def named(self) -> Iterator[list[str]]:
        """As in the base; vectors are read only of fragments in which some rows have one and others do not."""
        for fragment in self.table.get_fragments() if self.state.token else []:
            count = self._count(fragment)
            whole = count == fragment.count_rows()
            for batch in self.batches([ID] if whole else [ID, self.vector], NAMES if whole else 8192, part=fragment):
                ids = batch.column(0)
                found = ids if whole else ids.take(_numbers(valid_places(batch.column(1))))
                yield [self.prefix + name for name in found.to_pylist()]

    def known(self, names: Collection[str]) -> set[str]:
        """As in the base; also those that wait."""
        found, own = super().known(names), self.staged
        if own is not None:
            ids = own.known([name.removeprefix(self.prefix) for name in names if name.startswith(self.prefix)])
            found |= {self.prefix + name for name in ids}
        return found

    def barred(self, names: Collection[str]) -> str | None:
        """As in the base: it takes images of its table alone."""
        other = next((name for name in names if not name.startswith(self.prefix)), None)
        if other is None:
            return None
        return (
            f"{other} is no image of the table {self.store.uri}, in which the index {self.folder} keeps its vectors, "
            "and which it takes all its images from; make an index of its own for others"
        )

    def below(self, folder: str) -> list[str]:
        """As in the base; also those that wait."""
        found, own = super().below(folder), self.staged
        waiting = [] if own is None else [self.prefix + name for part in own.named() for name in part]
        return list(dict.fromkeys([*found, *(name for name in waiting if name.startswith(folder))]))

    def batches(self, columns: Sequence[str], rows: int, offset: int = 0, part: Any = None) -> Iterator[Any]:
        """As in the base; nothing where no vectors of this index were written yet."""
        if self.state.token:
            yield from super().batches(columns, rows, offset, part)

    @property
    def lists(self) -> int:
        """As in the base; 0 before vectors were written."""
        return super().lists if self.state.token else 0

    @property
    def staged(self) -> OwnTable | None:
        """The table of the vectors that wait, if there is one: also what a call that was killed has left."""
        place = self.folder / self.state.staged
        if self._own is None and place.is_dir():
            with suppress(UserError):  # killed before it had a version: nothing is in it
                self._own = OwnTable.last(self.folder, self.state.staged, self.dim, self._less)
        return self._own

    @property
    def _less(self) -> Limits:
        return Limits(self.limits.memory // 4)

    def append(self, names: Sequence[str], vectors: Floats) -> None:
        """Let unit vectors [n, dim] wait.

        Raises:
            UserError: One is not of an image of this table.
        """
        barred = self.barred(names)
        if barred is not None:
            raise UserError(barred)
        if self.staged is None:
            self._own = OwnTable.begin(self.folder, self.dim, self._less, self.state.staged)
        if self._own is not None and names:
            self._own.append([name.removeprefix(self.prefix) for name in names], vectors)

    def delete(self, names: Collection[str]) -> None:
        """Let the vectors of these be taken out by the next :meth:`write`; their images stay."""
        gone, own = {name.removeprefix(self.prefix) for name in names}, self.staged
        self._gone |= gone
        if own is not None:
            own.delete(own.known(gone))

    @property
    def waiting(self) -> bool:
        """As in the base."""
        own = self.staged
        return bool(self._gone) or (own is not None and len(own) > 0)

    def announce(self) -> None:
        """As in the base."""
        self.state.coming = uuid.uuid4().hex

    def write(self, progress: Progress) -> None:
        """Write what waits into the column, in the place of an earlier index's where nothing was written yet.

        Raises:
            UserError: The table is not as this index has left it, or others change it all the time.
        """
        if not self.state.token:
            self._clear()
        Rewriting(self, self.staged, self._gone).run(progress)
        self.ask("the token", lambda: self.table.update_config({self._key: self.state.coming}))
        self.table.checkout_latest()
        self.state.token, self.state.coming = self.state.coming, ""

    def _clear(self) -> None:
        """Before the first vectors: an earlier index's IVF-PQ goes, and its column where it is of another type."""
        self.newest()
        if self.described:
            self.ask("the index", lambda: self.table.drop_index(f"{self.vector}_idx"))
            self.table.checkout_latest()
        if self.vector in self.table.schema.names:
            try:
                self.check_type()
            except UserError:
                self.ask("the column", lambda: self.table.drop_columns([self.vector]))
                self.table.checkout_latest()

    def have_column(self) -> None:
        """Add the column, without a vector, where it is not there; no file is written for that."""
        import pyarrow as pa

        if self.vector not in self.table.schema.names:
            field = pa.field(self.vector, pa.list_(pa.float32(), self.dim))
            self.ask("the column", lambda: self.table.add_columns(field))
            self.table.checkout_latest()

    def written(self) -> None:
        """As in the base; the table of what waited goes."""
        self._own, self._gone = None, set()
        place = self.folder / self.state.staged
        if place.is_dir():  # renamed first, so that half of it is not taken for what waits
            shutil.rmtree(place.rename(self.folder / new_name()), ignore_errors=True)


def column_name(network: KnownNetwork) -> str:
    """The column of a network's vectors: twelve digits of its digest, and its output where that is not the usual."""
    output = "" if network.output in ("", "backbone") else "_" + re.sub(r"\W", "_", network.output, flags=re.ASCII)
    return f"embedding_{network.digest[:12] or 'given'}{output}"


def is_packed(schema: Any) -> bool:
    """Whether a table with this schema was made by `rankhub pack`."""
    return PACKED in (schema.metadata or {}) and ID in schema.names


def column_for(images: ImagePlace | None) -> tuple[Rows | None, str]:
    """The table in which vectors of a place's images can be a column; None and why not ("" = it is no table)."""
    rows = getattr(images, "rows", None)
    if images is None or not isinstance(rows, Rows):
        return None, ""
    uri = rows.store.uri
    if "://" in uri:
        return None, f"the table {uri} is not on a disk"
    if images.uri != uri or not is_packed(rows.table.schema):
        return None, f"the table {uri} was not made by rankhub pack"
    return rows, ""


def _numbers(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values)
