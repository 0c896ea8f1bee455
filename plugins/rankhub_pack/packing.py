"""Packs images into a table: in portions that are there whole or not at all, so that it may be killed at any time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rankhub import Talk, UserError
from rankhub_lance import Store, open_table, package
from rankhub_listing.files import UnusedImage
from rankhub_lock import locked
from rankhub_pack.layout import PACKING, check_fits, read_about, schema_of
from rankhub_pack.sources import PackSource
from rankhub_pack.worker import Row
from rankhub_use.shell import Pace

PORTION_ROWS, PORTION_BYTES = 32_768, 1 << 28
"""Rows, and bytes of images, after which what is packed so far is committed."""


@dataclass(frozen=True)
class Packed:
    """What was done.

    Attributes:
        added: Rows that were added by this call.
        there: Images of the source that were there before.
        rows: Of the whole table.
        version: Of the table now.
        faults: Images that were not packed, and why.
    """

    added: int
    there: int
    rows: int
    version: int
    faults: Sequence[UnusedImage]


@dataclass(frozen=True)
class Packing:
    """Images on their way into a table.

    Attributes:
        source: The images.
        store: The table.
        split: What they are packed as; "" = nothing.
        prefix: Stands before the names of the images.
        processes: How many make rows.
        portion_rows: Rows that are committed together.
    """

    source: PackSource
    store: Store
    split: str = ""
    prefix: str = ""
    processes: int = 1
    portion_rows: int = PORTION_ROWS

    def run(self, talk: Talk, *, append: bool = False, resume: bool = False) -> Packed:
        """Pack what is not in the table yet.

        Args:
            talk: Where progress is told.
            append: Add to a table that is whole.
            resume: Go on with a packing of the same source that was interrupted, if it was.

        Raises:
            UserError: The table is there and may not be added to, holds other images of the same names, or the store
                fails.
        """
        with self._alone():
            table = self._begun(append=append, resume=resume)
            names = [self.prefix + name for name in self.source.names()]
            todo = self._missing(table, names)
            mark = {PACKING: self._signature}
            table = self.store.ask("the beginning of the packing", lambda: self._marked(table, mark))
            pace, faults = Pace(talk, "pack", len(names), len(names) - len(todo)), list[UnusedImage]()
            begun_with = rows = int(table.count_rows())
            for portion, unused, done in self._portions(todo):
                faults += unused
                if portion:
                    self._add(rows, portion)
                    rows += len(portion)
                pace.at(len(names) - len(todo) + done)
            talk.finish()
            self.store.ask("the end of the packing", self._end)
            there, version = len(names) - len(todo), int(open_table(self.store).version)
        return Packed(rows - begun_with, there, rows, version, [*getattr(self.source, "faults", ()), *faults])

    def _alone(self) -> AbstractContextManager[None]:
        if self.store.remote:
            return nullcontext()
        path = Path(self.store.uri.removeprefix("file://"))
        sentence = f"another process packs into the table {path}; let it end, or stop it"
        return locked(path.with_name(f"{path.name}.packing"), sentence=sentence)

    @property
    def _signature(self) -> str:
        return json.dumps({"source": self.source.said, "split": self.split, "prefix": self.prefix})

    def _begun(self, *, append: bool, resume: bool) -> Any:
        """The table, made if it is not there."""
        lance = package()
        table = self.store.ask("the table", self._existing)
        if table is None:
            empty = schema_of(self.source.about).empty_table()
            self.store.ask("to make the table", lambda: self._write(lance, empty, "create"))
            table = open_table(self.store)
        else:
            begun = table.config().get(PACKING)
            if begun is None and not (append or resume) and table.count_rows():
                raise UserError(
                    f"the table {self.store.uri} is there already; name another, or add what is not in it with --append"
                )
            check_fits(self.source.about, read_about(table.schema.metadata, self.store.uri), self.store.uri)
            if begun is not None and not resume:
                raise UserError(
                    f"packing the table {self.store.uri} was interrupted after {table.count_rows():,} rows; go on with "
                    "the same command and --resume"
                )
            if begun is not None and begun != self._signature:
                was = json.loads(begun)
                raise UserError(
                    f"the table {self.store.uri} was being packed from {was['source']}, with other --split or "
                    "--prefix perhaps, when that was interrupted; go on with that first"
                )
        return table

    def _marked(self, table: Any, mark: dict[str, str]) -> Any:
        table.update_config(mark)
        return open_table(self.store)

    def _existing(self) -> Any:
        try:
            return package().dataset(self.store.uri, storage_options=dict(self.store.options) or None)
        except ValueError as error:
            if "was not found" in str(error):
                return None
            raise

    def _end(self) -> None:
        table = open_table(self.store)
        if PACKING in table.config():
            table.delete_config_keys([PACKING])

    def _missing(self, table: Any, names: Sequence[str]) -> list[int]:
        """Positions of the images that are not in the table; those that are there must be the same images."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if len(set(names)) < len(names):
            raise UserError(f"two images of {self.source.said} have the same name; rename one of them")
        known = self.store.ask("the column id", lambda: table.to_table(columns=["id", "digest"]))
        if not len(known):
            return list(range(len(names)))
        at = pc.index_in(pa.array(names, pa.string()), value_set=known["id"].combine_chunks())
        there = np.flatnonzero(pc.is_valid(at).to_numpy(zero_copy_only=False))
        if len(there):
            self._compare(there, at, known["digest"])
        left: list[int] = np.setdiff1d(np.arange(len(names)), there).tolist()
        return left

    def _compare(self, there: Any, at: Any, digests: Any) -> None:
        """See that images whose names are in the table are in it: a few of them, evenly spread."""
        some = there[:: max(1, len(there) // COMPARED)].tolist()
        for number, row in zip(some, self.source.rows(some, 1), strict=True):
            if isinstance(row, dict) and row["digest"] != digests[at[number].as_py()].as_py():
                raise UserError(
                    f"the table {self.store.uri} has another image called {self.prefix}{row['id']} than "
                    f"{self.source.said}; give these other names with --prefix, or pack them into a table of their own"
                )

    def _portions(self, todo: Sequence[int]) -> Iterator[tuple[list[Row], list[UnusedImage], int]]:
        """Rows that are committed together, what is not used, and how many images are done by then."""
        portion, unused, size = list[Row](), list[UnusedImage](), 0
        for done, row in enumerate(self.source.rows(todo, self.processes), 1):
            if isinstance(row, UnusedImage):
                unused.append(row)
            else:
                portion.append(row | {"id": self.prefix + row["id"], "split": self.split or None})
                size += len(row["image"])
            if len(portion) == self.portion_rows or size > PORTION_BYTES or done == len(todo):
                yield portion, unused, done
                portion, unused, size = [], [], 0

    def _add(self, rows: int, portion: Sequence[Row]) -> None:
        """Commit a portion to a table of so many rows."""
        import pyarrow as pa

        lance, schema = package(), schema_of(self.source.about)
        columns = {name: pa.array([row.get(name) for row in portion], schema.field(name).type) for name in schema.names}
        data = pa.table(columns, schema=schema)

        def add() -> None:
            # Of an attempt whose answer was lost on the way the rows are there.
            if open_table(self.store).count_rows() == rows:
                self._write(lance, data, "append")

        self.store.ask(f"to add rows {rows} to {rows + len(portion) - 1}", add)

    def _write(self, lance: Any, data: Any, mode: str) -> None:
        lance.write_dataset(data, self.store.uri, mode=mode, storage_options=dict(self.store.options) or None)


COMPARED = 64
"""Images that are compared with those of the same names in a table to which a source is added."""
