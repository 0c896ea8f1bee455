"""The numbers of a run as JSON lines: one line a step, each step once, also after a crash."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rankhub.engine.folder import write_text


class Journal:
    """Appends to ``metrics.jsonl``; ``path`` None: nothing is written.

    Lines of steps later than ``step``, and a last line cut short, are removed.
    """

    def __init__(self, path: Path | None, step: int) -> None:
        if path is not None and path.exists():
            kept = [line for line in path.read_text().splitlines() if _step(line, step + 1) <= step]
            write_text(path, "".join(line + "\n" for line in kept))
        self._file = None if path is None else path.open("a", buffering=1)

    def write(self, values: Mapping[str, Any]) -> None:
        """One line; it must have a ``step``. It is handed to the system at once."""
        if self._file is not None:
            self._file.write(json.dumps({key: _plain(value) for key, value in values.items()}) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a journal."""
    lines = [json.loads(line) for line in path.read_text().splitlines() if _step(line, -1) >= 0]
    return [dict(line) for line in lines]


def _step(line: str, broken: int) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return broken


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return round(value, 9) if isinstance(value, float) and abs(value) >= 1e-3 else value
