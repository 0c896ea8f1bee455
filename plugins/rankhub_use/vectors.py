"""Tables of vectors that grow: a folder with ``embeddings.npy`` and ``index.csv``, or one Parquet file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from rankhub.interfaces.files import beside_of, whole
from rankhub_use.tables import CsvTable, Row, arrow

EMBEDDINGS, INDEX = "embeddings.npy", "index.csv"

WRITTEN = (EMBEDDINGS, INDEX, f"{EMBEDDINGS}.json", "embeddings_skipped.csv")
"""All that is written into a folder of vectors."""

_HEADER = 128
"""Bytes before the numbers: of one length whatever the number of rows, which is known at the end."""

_AT_ONCE = 4096
"""Vectors that are turned to Parquet at once."""


class VectorTable(CsvTable):
    """``index.csv`` with one name a row; beside it ``embeddings.npy``, [n, width] float32 in the same order.

    Args:
        folder: Where the two lie.
        width: Numbers of a vector.
        safe: As for :class:`~rankhub_use.tables.CsvTable`.
    """

    def __init__(self, folder: Path, width: int, safe: bool = False) -> None:
        super().__init__(folder / INDEX, ["path"], safe)
        self.vectors, self.width = folder / EMBEDDINGS, width
        self.numbers = beside_of(self.vectors)
        self._data: BinaryIO | None = None

    def begin(self) -> None:
        """Start both anew."""
        super().begin()
        self._open_numbers("wb")
        self._put(b"\0" * _HEADER)

    def names(self) -> Iterator[tuple[str, int]]:
        """Of the rows whose vectors are there too."""
        size = self.numbers.stat().st_size if self.numbers.exists() else 0
        rows = max(0, size - _HEADER) // (4 * self.width)
        for (name, end), _ in zip(super().names(), range(rows), strict=False):
            yield name, end

    def resume(self, end: int) -> None:
        """Go on behind the row that ends there, and its vector."""
        rows = sum(1 for _, other in self.names() if other <= end)
        super().resume(end)
        self._open_numbers("r+b")
        assert self._data is not None
        self._data.truncate(_HEADER + 4 * self.width * rows)
        self._data.seek(0, os.SEEK_END)

    def write(self, rows: Iterable[Row]) -> None:
        """Append (name, vector); the vectors first, so that no name is without one."""
        found = list(rows)
        if found:
            self._put(np.stack([row[1] for row in found]).astype("<f4").reshape(len(found), self.width).tobytes())
        super().write([row[:1] for row in found])

    def complete(self) -> None:
        """The number of rows is written, then both get their names."""
        with self.numbers.open("r+b") as file:
            file.write(npy_header((self.numbers.stat().st_size - _HEADER) // (4 * self.width), self.width))
            file.flush()
            os.fsync(file.fileno())
        self.numbers.replace(self.vectors)
        super().complete()

    def close(self, *, sync: bool = False) -> None:
        """Let both go."""
        super().close(sync=sync)
        if self._data is not None:
            self._data.close()
        self._data = None

    def discard(self) -> None:
        """Take both away."""
        super().discard()
        self.numbers.unlink(missing_ok=True)

    def _open_numbers(self, mode: str) -> None:
        self._data = self.opened(self.numbers, mode, self.vectors)

    def _put(self, data: bytes) -> None:
        assert self._data is not None
        self.append_to(self._data, data, self.vectors)


class VectorParquet(VectorTable):
    """One Parquet file with the columns ``path`` and ``embedding``; while it grows, what :class:`VectorTable` has.

    Args:
        path: The file.
        width: Numbers of a vector.
    """

    def __init__(self, path: Path, width: int) -> None:
        super().__init__(path.parent, width)
        arrow()
        self.path, self.vectors = path, path.with_name(f"{path.name}.npy")
        self.beside, self.numbers = beside_of(path), beside_of(self.vectors)

    def complete(self) -> None:
        """A few thousand vectors at a time."""
        pyarrow, parquet = arrow()
        kind = pyarrow.list_(pyarrow.float32(), self.width)
        schema = pyarrow.schema([("path", pyarrow.string()), ("embedding", kind)])
        finished = self.path.with_name(f"{self.path.name}.finishing")
        with self.numbers.open("rb") as file, whole(finished) as target, parquet.ParquetWriter(target, schema) as out:
            file.seek(_HEADER)
            for names in _parts(name for name, _ in self.names()):
                flat = np.frombuffer(file.read(4 * self.width * len(names)), "<f4")
                vectors: Any = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(flat), self.width)
                out.write_table(pyarrow.Table.from_arrays([pyarrow.array(names), vectors], schema=schema))
        finished.replace(self.path)
        self.beside.unlink()
        self.numbers.unlink()


def npy_header(rows: int, width: int) -> bytes:
    """The first 128 bytes of a ``.npy`` file of version 1.0 that holds [rows, width] float32."""
    described = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}"
    magic = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return magic + described.ljust(_HEADER - 11).encode() + b"\n"


def _parts(names: Iterable[str]) -> Iterator[list[str]]:
    part: list[str] = []
    for name in names:
        part.append(name)
        if len(part) == _AT_ONCE:
            yield part
            part = []
    if part:
        yield part
