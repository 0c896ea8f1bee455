"""Records by the digest of what they were made from: in memory up to a bound, and in a file that processes share."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

log = logging.getLogger("rankhub")

MEMORY_BYTES = 256 * 2**20
"""What one memory holds in a process; beyond it records are in the file alone."""

MEMORIES = 4
"""Memories that a process holds at once."""

_ASKED = 500
"""Records that are asked for in one query; SQLite has a limit."""

_PATIENCE_S = 60.0
"""How long to wait while another process writes."""

_CHECK = 4
"""Bytes of a record's checksum."""


class Memory:
    """Records in memory, the first that come up to ``MEMORY_BYTES``, and all of them in a SQLite file.

    Several processes may share the file. A record in it whose checksum is wrong counts as not there. A file that cannot
    be read or written is said once and used no more; what it would hold is made again.

    Args:
        file: Its folder is made when it is needed. None = in memory alone.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._held: dict[bytes, bytes] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self._opened: tuple[int, sqlite3.Connection] | None = None

    def find(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Those of the records that are there."""
        with self._lock:
            found = {key: self._held[key] for key in keys if key in self._held}
            wanted = [key for key in keys if key not in found]
            if wanted and self.file is not None:
                kept = self._read(wanted)
                self._hold(kept)
                found |= kept
            return found

    def keep(self, records: Mapping[bytes, bytes]) -> None:
        """Take records over; of equal keys the last one counts."""
        with self._lock:
            self._hold(records)
            if records and self.file is not None:
                self._write(records)

    def _hold(self, records: Mapping[bytes, bytes]) -> None:
        for key, record in records.items():
            if key not in self._held and self._bytes + len(record) <= MEMORY_BYTES:
                self._held[key] = record
                self._bytes += len(record)

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        try:
            for start in range(0, len(keys), _ASKED):
                asked = keys[start : start + _ASKED]
                marks = ",".join("?" * len(asked))
                rows = self._connection().execute(f"SELECT key, record FROM records WHERE key IN ({marks})", asked)
                found |= {key: record[_CHECK:] for key, record in rows if record[:_CHECK] == _check(record[_CHECK:])}
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return found

    def _write(self, records: Mapping[bytes, bytes]) -> None:
        rows = [(key, _check(record) + record) for key, record in records.items()]
        try:
            with self._connection() as connection:
                connection.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _connection(self) -> sqlite3.Connection:
        """A connection of this process: one must not be taken along into a fork."""
        assert self.file is not None
        if self._opened is None or self._opened[0] != os.getpid():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self.file, timeout=_PATIENCE_S, check_same_thread=False)
            opened.execute("CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY, record BLOB NOT NULL)")
            opened.execute("PRAGMA synchronous = NORMAL")
            self._opened = (os.getpid(), opened)
        return self._opened[1]

    def _give_up(self, error: Exception) -> None:
        log.warning(
            "features cannot be kept in %s (%s), so they are computed again in every run; make room, or remove that "
            "file, or set backbone.cache to another folder",
            self.file,
            str(error) or type(error).__name__,
        )
        self.file = None


@lru_cache(MEMORIES)
def memory_at(name: str, folder: Path | None) -> Memory:
    """The memory of a name, the same for all networks of a process; with a file in ``folder`` if that is given."""
    return Memory(None if folder is None else folder / f"{name}.sqlite")


def _check(record: bytes) -> bytes:
    return zlib.crc32(record).to_bytes(_CHECK, "little")
