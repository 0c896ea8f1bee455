"""New files of a column for those fragments of a table in which it changes, committed at once or not at all."""

from __future__ import annotations

import dataclasses
import os
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub_find.kinds import Progress
from rankhub_find.structures import Bools, Floats, Ints
from rankhub_lance import StoreError
from rankhub_lance_index.vectors import NAMES, LanceVectors, valid_places

if TYPE_CHECKING:
    from rankhub_lance_index.column import TableColumn

ATTEMPTS = 8
"""How often a change is tried that others come before."""

_OFFSET = 2**32 - 1
"""Of a row's address: its place in its fragment."""

_TAKEN_OUT = -2
"""In a data file's list of fields, for one that is read from another file: Lance's own mark."""


@dataclass(frozen=True)
class _Placed:
    """What is to be done in a fragment.

    Attributes:
        places: [m] of its rows that are not deleted, ascending, among all that its files have.
        staged: [m] numbers of the vectors that wait for them; -1 = none does.
        gone: [m] whether their vector is taken out.
    """

    places: Ints
    staged: Ints
    gone: Bools


@dataclass(frozen=True)
class _Change:
    """A fragment's new file; None: the column is null there. ``count``: vectors in it of rows that are not deleted."""

    fragment: int
    file: Any
    count: int


class Rewriting:
    """One change of a column.

    Args:
        column: The column; before its first vectors are written, all that it has is replaced.
        staged: Vectors that are to be in it, under names without its prefix.
        gone: Names whose vectors are taken out.
    """

    def __init__(self, column: TableColumn, staged: LanceVectors | None, gone: Collection[str]) -> None:
        self.column, self.staged, self.gone = column, staged, frozenset(gone)
        self._anew = not column.state.token
        self._made: dict[str, _Change] = {}

    def run(self, progress: Progress) -> None:
        """Write and commit.

        Raises:
            UserError: None of the names is in the table, or others change it all the time.
        """
        sure = True
        try:
            for _ in range(ATTEMPTS):
                self.column.newest()
                self.column.have_column()
                changes = list(self._changes(progress))
                sure = False
                if self._committed(changes):
                    break
                sure = True
            else:
                raise self.column.busy()
        except BaseException:
            if sure:  # else the files may be in the table, though no answer came
                self._remove(self._made.values())
            raise
        self._remove(change for change in self._made.values() if change not in changes)
        for change in changes:
            if change.file is not None:
                fragment = self.column.table.get_fragment(change.fragment)
                self.column.state.counts[self.column.part_key(fragment)] = change.count

    def _committed(self, changes: list[_Change]) -> bool:
        """Commit all; False where another change came before, so that nothing was committed."""
        from lance import LanceDataset, LanceOperation

        if not changes:
            return True
        table, field = self.column.table, self.column.field
        new = [_with_file(table.get_fragment(one.fragment).metadata, field, one.file) for one in changes]
        operation = LanceOperation.Update(updated_fragments=new, fields_modified=[field], update_mode="rewrite_columns")
        uri, version = self.column.store.uri, int(table.version)
        try:
            self.column.store.ask("room for vectors", lambda: LanceDataset.commit(uri, operation, read_version=version))
        except StoreError as error:
            if is_conflict(error):
                return False
            raise
        table.checkout_latest()
        return True

    def _remove(self, changes: Any) -> None:
        for change in changes:
            if change.file is not None:
                with suppress(OSError):
                    os.unlink(self._path(change.file.path))

    def _path(self, name: str) -> Path:
        return Path(self.column.store.uri, "data", name)

    def _changes(self, progress: Progress) -> Iterator[_Change]:
        """Of each fragment in which the column changes; files of an attempt before are taken where they still fit."""
        column, wanted = self.column, self._wanted()
        fragments = column.table.get_fragments()
        placed = 0
        for number, fragment in enumerate(fragments):
            before = column.part_key(fragment)
            key = f"{fragment.fragment_id} {before} {fragment.deletion_file() or ''}"
            part = self._part(fragment, wanted)
            placed += int((part.staged >= 0).sum())
            if (part.staged >= 0).any() or part.gone.any() or (self._anew and before):
                if key not in self._made:
                    self._made[key] = self._written(fragment, part, bool(before) and not self._anew)
                yield self._made[key]
            progress(number + 1, len(fragments), "write the column")
        if wanted and not placed:
            raise UserError(
                f"none of the {len(wanted):,} images that were embedded is in the table {column.store.uri} any more"
            )

    def _wanted(self) -> dict[str, int]:
        """Number of each vector that waits, by its name."""
        names = [] if self.staged is None else [name for part in self.staged.named() for name in part]
        return {name: number for number, name in enumerate(names)}

    def _part(self, fragment: Any, wanted: dict[str, int]) -> _Placed:
        column, places, staged, gone = self.column, [], [], []
        options = {"with_row_address": True, "batch_size": NAMES, "batch_readahead": 2, "scan_in_order": True}
        scanner = column.table.scanner(columns=[column.name], fragments=[fragment], **options)
        for batch in column.ask("the names", scanner.to_reader):
            names = batch.column(column.name).to_pylist()
            places.append((batch.column("_rowaddr").to_numpy() & _OFFSET).astype(np.int64))
            staged.append(np.array([wanted.get(name, -1) for name in names], np.int64))
            gone.append(np.array([name in self.gone for name in names], bool))
        if not places:
            return _Placed(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool))
        return _Placed(np.concatenate(places), np.concatenate(staged), np.concatenate(gone))

    def _written(self, fragment: Any, part: _Placed, keeps: bool) -> _Change:
        """Write a fragment's file; ``keeps``: rows that do not change have what they had."""
        import pyarrow as pa
        from lance.file import LanceFileWriter
        from lance.fragment import DataFile

        column, rows, count = self.column, int(fragment.physical_rows), 0
        if not keeps and not (part.staged >= 0).any():
            return _Change(fragment.fragment_id, None, 0)
        schema = pa.schema([column.table.schema.field(column.vector)])
        name = f"{uuid.uuid4().hex}.lance"
        step = min(NAMES, column.limits.rows(column.dim, 16))
        try:
            writer = LanceFileWriter(str(self._path(name)), schema, version=column.table.data_storage_version)
            for first in range(0, rows, step):
                values, empty = self._values(fragment, part, keeps, first, min(step, rows - first))
                count += int((~empty).sum())
                flat = pa.array(values.reshape(-1))
                array = pa.FixedSizeListArray.from_arrays(flat, column.dim, mask=pa.array(empty))
                batch = pa.record_batch([array], schema=schema)
                column.ask("room for vectors", partial(writer.write_batch, batch))
            column.ask("room for vectors", writer.close)
            return _Change(fragment.fragment_id, DataFile.create(column.table, name), count)
        except BaseException:
            with suppress(OSError):
                os.unlink(self._path(name))
            raise

    def _values(
        self, fragment: Any, part: _Placed, keeps: bool, first: int, rows: int
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Vectors [rows, dim] of a fragment's rows from ``first`` on, deleted ones too, and which have none."""
        column = self.column
        values, empty = np.zeros((rows, column.dim), np.float32), np.ones(rows, bool)
        begin, end = np.searchsorted(part.places, [first, first + rows]).tolist()
        if begin == end:
            return values, empty
        places = part.places[begin:end] - first
        if keeps:
            found = column.ask(
                "the vectors",
                lambda: fragment.to_table(columns=[column.vector], offset=begin, limit=end - begin),
            )
            array = found.column(0).combine_chunks()
            there = places[valid_places(array)]
            values[there], empty[there] = column.matrix(array), False
            empty[places[part.gone[begin:end]]] = True
        new = part.staged[begin:end]
        if self.staged is not None and (new >= 0).any():
            values[places[new >= 0]] = self.staged.take(new[new >= 0])
            empty[places[new >= 0]] = False
        return values, empty


def is_conflict(error: StoreError) -> bool:
    """Whether nothing was changed since another change came before."""
    from lance.commit import CommitConflictError

    return isinstance(error.__cause__, CommitConflictError)


def _with_file(metadata: Any, field: int, file: Any) -> Any:
    """A fragment whose column is read from another file, or is null (None)."""
    files = []
    for one in metadata.files:
        fields = [_TAKEN_OUT if number == field else number for number in one.fields]
        if any(number != _TAKEN_OUT for number in fields):
            files.append(_with_fields(one, fields))
    return dataclasses.replace(metadata, files=files if file is None else [*files, file])


def _with_fields(file: Any, fields: list[int]) -> Any:
    """A data file of which other fields are read."""
    from lance.fragment import DataFile

    versions = file.file_major_version, file.file_minor_version
    return DataFile(str(file.path), fields, file.column_indices, *versions, file.file_size_bytes, file.base_id)
