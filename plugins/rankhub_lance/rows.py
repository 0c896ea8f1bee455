"""Rows of a table at one version, by their numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub_lance.blocks import BlockCache, key_of
from rankhub_lance.store import Store
from rankhub_lance.table import open_table

Ints = npt.NDArray[np.int64]

_NAMED = 4
"""Rows that a sentence names."""


class Rows:
    """Rows of a table at one version, numbered from 0; each process opens it when it first asks.

    Args:
        store: Where the table is.
        version: Its version.
        columns: Those that :meth:`take` gives.
        blocks: Where blocks of rows are kept on this machine's disk; None = rows are fetched one by one.
        block: Neighbouring rows that are fetched and kept together.
    """

    def __init__(
        self, store: Store, version: int, columns: Sequence[str], blocks: BlockCache | None = None, block: int = 256
    ) -> None:
        self.store, self.version, self.columns = store, version, list(columns)
        self.blocks, self.block = blocks, block
        self._opened: tuple[int, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Rows, (self.store, self.version, self.columns, self.blocks, self.block)

    @property
    def table(self) -> Any:
        """The ``lance.LanceDataset``.

        Raises:
            UserError: It cannot be opened; or this process was forked from one that had opened it.
        """
        if self._opened is None:
            self._opened = os.getpid(), open_table(self.store, self.version)
        process, table = self._opened
        if process != os.getpid():
            raise UserError(
                f"{self.store.uri}: a Lance table cannot be read in a process that was forked from one that reads it; "
                "set loader.start=spawn"
            )
        return table

    def __len__(self) -> int:
        return int(self.store.ask("the number of rows", self.table.count_rows))

    def column(self, *names: str) -> Any:
        """Whole columns, as a ``pyarrow.Table``."""
        what = f"the column {' and '.join(names)}"
        return self.store.ask(what, lambda: self.table.to_table(columns=list(names)))

    def where(self, condition: str) -> Ints:
        """[k] numbers of the rows for which a condition of SQL holds, ascending.

        Raises:
            UserError: It is no condition on this table's columns, or the store does not answer.
        """
        import pyarrow as pa

        try:
            found = self.store.ask(
                f"the rows where {condition}", lambda: self.table.to_table(columns=["_rowoffset"], filter=condition)
            )
        except UserError as error:
            if self.store.remote and not isinstance(error.__cause__, ValueError):
                raise
            names = ", ".join(self.table.schema.names)
            raise UserError(f"{error}; it has the columns {names}, and text stands in single quotes") from error
        numbers = found.column("_rowoffset").cast(pa.int64()).to_numpy()
        return np.sort(numbers)

    def take(self, numbers: Ints) -> Any:
        """Rows in the order of their numbers, of which one may stand twice, as a ``pyarrow.Table``.

        Raises:
            StoreError: The store did not give them; the sentence names the first of them.
        """
        if self.blocks is not None:
            return self._from_blocks(numbers, self.blocks)
        return self._ask(numbers)

    def span(self, start: int, stop: int) -> Any:
        """Neighbouring rows, from ``start`` to before ``stop``, fetched together, as a ``pyarrow.Table``.

        Raises:
            StoreError: The store did not give them.
        """
        what, table = f"rows {start} to {stop - 1}", self.table
        return self.store.ask(what, lambda: table.to_table(columns=self.columns, offset=start, limit=stop - start))

    def _ask(self, numbers: Ints) -> Any:
        table, listed = self.table, numbers.tolist()
        return self.store.ask(_said(listed), lambda: table.take(listed, columns=self.columns))

    def held(self, *further: str) -> Iterator[tuple[Any, list[object]]]:
        """Each fragment, and what says for ever which values its rows have in the columns and in ``further`` ones.

        A column that others add has files of its own, and changes nothing of it.
        """
        columns, numbers = {*self.columns, *further}, set[int]()
        left = [field for field in self.table.lance_schema.fields() if field.name() in columns]
        while left:  # a column, and what it consists of
            field = left.pop()
            numbers.add(int(field.id()))
            left += field.children()
        for fragment in self.table.get_fragments():
            files = [file.path for file in fragment.metadata.files if numbers.intersection(file.fields)]
            # The name of the file of deleted rows: their number alone is not enough.
            yield fragment, [files or fragment.fragment_id, fragment.deletion_file()]

    @cached_property
    def _layout(self) -> tuple[Ints, list[str]]:
        """The first row of each fragment, and one behind the last; and a name for what each holds for ever."""
        first, names = [0], []
        for fragment, held in self.held():
            first.append(first[-1] + fragment.metadata.physical_rows - (fragment.num_deletions or 0))
            names.append(key_of(self.store.uri, *held, self.columns, self.block))
        return np.array(first, dtype=np.int64), names

    def _from_blocks(self, numbers: Ints, blocks: BlockCache) -> Any:
        import pyarrow as pa

        first, names = self._layout
        fragment = np.searchsorted(first, numbers, side="right") - 1
        part = (numbers - first[fragment]) // self.block
        which = np.stack([fragment, part], axis=1)
        distinct, inverse = np.unique(which, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        order, found = np.argsort(inverse, kind="stable"), []
        for at, (number, piece) in enumerate(distinct.tolist()):
            start = int(first[number]) + piece * self.block
            stop = min(start + self.block, int(first[number + 1]))
            block = blocks.get(key_of(names[number], piece), partial(self.span, start, stop))
            found.append(block.take(pa.array(numbers[inverse == at] - start)))
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return pa.concat_tables(found).take(pa.array(back))


def _said(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"row{'s' if len(numbers) > 1 else ''} {shown}{more}"
