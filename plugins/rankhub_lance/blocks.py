"""Blocks of rows kept on this machine's disk: those that were used last, within a limit."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger("rankhub")

_SHARE = 32
"""After a 32nd of the limit was written, a process looks at what all processes have written."""
_OPEN = 32
"""Blocks that a process holds mapped."""
_ENDING, _PART = ".arrow", ".partial"


class BlockCache:
    """Files of Arrow in a folder, a block of rows each, which several processes share.

    A block is written beside and renamed: it is there whole or not at all. The folder may be deleted at any time.

    Args:
        folder: Where; made when needed.
        limit: Bytes. Each process may exceed it by a 32nd, for that long only.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._unseen = limit  # so that the first block that is written looks
        self._open: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, load: Callable[[], Any]) -> Any:
        """A block as a ``pyarrow.Table``: from memory, from the disk, or by ``load``, and then kept.

        Args:
            key: What it holds, of letters and digits; blocks of one key are the same for ever.
            load: Gives it.
        """
        found = self._open.pop(key, None)
        if found is None:
            found = self._read(self._path(key))
        if found is None:
            found = load()
            self._keep(key, found)
        self._open[key] = found
        while len(self._open) > _OPEN:
            self._open.popitem(last=False)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return BlockCache, (self.folder, self.limit)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}{_ENDING}"

    def _read(self, path: Path) -> Any:
        """A block of the disk, mapped; None if it is not there, or no whole file."""
        import pyarrow as pa

        try:
            with pa.memory_map(str(path)) as file:
                table = pa.ipc.open_file(file).read_all()
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, pa.ArrowInvalid):
            with suppress(OSError):
                path.unlink()
            return None
        return table

    def _keep(self, key: str, table: Any) -> None:
        """Write a block; where that cannot be, go on without."""
        import pyarrow as pa

        path = self._path(key)
        beside = path.with_name(f"{key}.{os.getpid()}{_PART}")
        try:
            if self._unseen > self.limit // _SHARE:
                self._make_room()
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
                file.flush()
                os.fsync(file.fileno())
                self._unseen += file.tell()
            beside.replace(path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            log.warning("blocks are not kept in %s (%s)", self.folder, error.strerror or error)
            self._keep = _forget  # type: ignore[method-assign]

    def _make_room(self) -> None:
        """Remove blocks, those first that were used longest ago, until a 16th of the limit is free."""
        found = []
        for path in self.folder.glob(f"*/*{_ENDING}"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.limit - self.limit // 16:
                break
            with suppress(OSError):
                path.unlink()
            total -= size
        self._unseen = 0


def _forget(key: str, table: Any) -> None:
    """Keep nothing."""


def key_of(*parts: object) -> str:
    """A name for a block: 40 hexadecimal digits of what it holds."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()
