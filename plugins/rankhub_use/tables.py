"""Tables that grow row by row beside their name, survive a kill, and get their name once they are complete."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, cast

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import beside_of, readable, unwritable, whole
from rankhub_tables.writing import csv_line

Row = Sequence[Any]
"""The name of an image and then its values: numbers, texts."""

_BLOCK = 10_000
"""Rows that are turned to Parquet at once."""


class GrowingTable(ABC):
    """Rows that are appended to ``NAME.partial``, which becomes ``NAME`` when they are complete.

    What was written is there though the process is killed; what was cut off is taken away when one goes on.

    Args:
        path: The table's file.
        columns: Their names; the first is that of the images.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)
        self.beside = beside_of(path)
        self._file: BinaryIO | None = None

    @abstractmethod
    def encode(self, row: Row) -> bytes:
        """One row as it is written."""

    @abstractmethod
    def names(self) -> Iterator[tuple[str, int]]:
        """Of each row that stands whole in the partial file: its name as :meth:`shown`, and the byte after it."""

    def header(self) -> bytes:
        """What stands before the rows."""
        return b""

    def shown(self, name: str) -> str:
        """A name as the table has it."""
        return readable(name)

    def begin(self) -> None:
        """Start anew.

        Raises:
            UserError: The file cannot be written.
        """
        self._open("wb")
        self._append(self.header())

    def resume(self, end: int) -> None:
        """Go on behind the first ``end`` bytes of the partial file."""
        self._open("r+b")
        assert self._file is not None
        self._file.truncate(max(end, len(self.header())))
        self._file.seek(0, os.SEEK_END)

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows; they are the system's when this returns.

        Raises:
            UserError: They cannot be written, such as on a full disk; the rows before stay.
        """
        self._append(b"".join(map(self.encode, rows)))

    def finish(self) -> None:
        """Give the table its name."""
        self.close(sync=True)
        try:
            self.complete()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def complete(self) -> None:
        """From the partial file, which is closed, to the file itself."""
        self.beside.replace(self.path)

    def close(self, *, sync: bool = False) -> None:
        """Let the partial file go as it is."""
        if self._file is not None:
            if sync:
                os.fsync(self._file.fileno())
            self._file.close()
        self._file = None

    def discard(self) -> None:
        """Take the partial file away."""
        self.close()
        self.beside.unlink(missing_ok=True)

    def _open(self, mode: str) -> None:
        self._file = self.opened(self.beside, mode, self.path)

    def _append(self, data: bytes) -> None:
        assert self._file is not None
        self.append_to(self._file, data, self.path)

    @staticmethod
    def opened(beside: Path, mode: str, path: Path) -> BinaryIO:
        """A partial file, without a buffer; ``path`` is what it is called in a sentence."""
        try:
            return cast(BinaryIO, open(beside, mode, buffering=0))
        except OSError as error:
            raise unwritable(path, error) from error

    @staticmethod
    def append_to(file: BinaryIO, data: bytes, path: Path) -> None:
        """All of it or nothing; ``path`` is what the file is called in a sentence."""
        start = file.tell()
        try:
            if file.write(data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            file.truncate(start)
            raise unwritable(path, error) from error


class CsvTable(GrowingTable):
    r"""Comma-separated values in UTF-8 with ``\r\n``.

    Args:
        path: The file.
        columns: The header.
        safe: Whether names that a spreadsheet would take for a formula get an apostrophe.
    """

    def __init__(self, path: Path, columns: Sequence[str], safe: bool = False) -> None:
        super().__init__(path, columns)
        self.safe = safe

    def header(self) -> bytes:
        """The columns."""
        return self.encode(self.columns)

    def encode(self, row: Row) -> bytes:
        """One line."""
        return csv_line(row, safe=self.safe, end="\r\n").encode()

    def shown(self, name: str) -> str:
        """As the table is read back."""
        return next(csv.reader(io.StringIO(csv_line([name], safe=self.safe, end="\r\n"), newline="")))[0]

    def names(self) -> Iterator[tuple[str, int]]:
        """From the first row below the header on."""
        end, last = 0, b""

        def lines(file: BinaryIO) -> Iterator[str]:
            nonlocal end, last
            for last in file:
                end += len(last)
                yield last.decode("utf-8", "replace")

        with self.beside.open("rb") as file:
            for number, row in enumerate(csv.reader(lines(file))):
                if len(row) != len(self.columns) or not last.endswith(b"\r\n"):
                    return
                if number:
                    yield row[0], end


class JsonTable(GrowingTable):
    """One JSON object a line, in UTF-8; a number that is not finite is null."""

    def encode(self, row: Row) -> bytes:
        """One line."""
        cells = {name: _plain(cell) for name, cell in zip(self.columns, row, strict=True)}
        return json.dumps(cells, ensure_ascii=False).encode() + b"\n"

    def names(self) -> Iterator[tuple[str, int]]:
        """Line by line."""
        end = 0
        with self.beside.open("rb") as file:
            for line in file:
                try:
                    found = json.loads(line)
                except ValueError:
                    return
                if not line.endswith(b"\n") or not isinstance(found, dict) or list(found) != list(self.columns):
                    return
                end += len(line)
                yield str(found[self.columns[0]]), end


class ParquetTable(JsonTable):
    """Apache Parquet, for which ``pyarrow`` must be installed; while it grows it is one JSON object a line."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        super().__init__(path, columns)
        arrow()

    def complete(self) -> None:
        """A few thousand rows at a time."""
        from itertools import islice

        pyarrow, parquet = arrow()
        kinds = [pyarrow.string(), *(pyarrow.float64() for _ in self.columns[1:])]
        schema = pyarrow.schema(list(zip(self.columns, kinds, strict=True)))
        finished = self.path.with_name(f"{self.path.name}.finishing")
        with self.beside.open("rb") as file, whole(finished) as target, parquet.ParquetWriter(target, schema) as out:
            while lines := list(islice(file, _BLOCK)):
                out.write_table(pyarrow.Table.from_pylist([json.loads(line) for line in lines], schema=schema))
        finished.replace(self.path)
        self.beside.unlink()


def arrow() -> tuple[Any, Any]:
    """``pyarrow`` and its module for Parquet.

    Raises:
        UserError: It is not installed.
    """
    if find_spec("pyarrow") is None:
        raise UserError("Parquet needs the package pyarrow: pip install rankhub[parquet]; or write .csv or .jsonl")
    import pyarrow
    from pyarrow import parquet

    return pyarrow, parquet


def table_for(path: Path, columns: Sequence[str], safe: bool = False) -> GrowingTable:
    """The table that the ending of a file's name asks for: ``.csv``, ``.jsonl``, ``.parquet``; of any other, CSV.

    Args:
        path: The file.
        columns: The first is that of images' names, the others hold numbers.
        safe: As for :class:`CsvTable`.

    Raises:
        UserError: What it needs is not installed.
    """
    ending = path.suffix.lower()
    if ending == ".parquet":
        return ParquetTable(path, columns)
    if ending in (".jsonl", ".ndjson"):
        return JsonTable(path, columns)
    return CsvTable(path, columns, safe)


def _plain(cell: Any) -> Any:
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    return readable(cell) if isinstance(cell, str) else cell
