"""Tables that the verbs of this plugin write: CSV or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankhub.interfaces.files import as_csv, write_text
from rankhub_tables.writing import harmless
from rankhub_use.shell import as_json


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, safe: bool = False) -> None:
    """Rows as ``.csv``, or as a JSON list of objects; without rows a CSV has its header."""
    if path.suffix.lower() == ".json":
        write_text(path, as_json(rows, indent=1) + "\n")
    else:
        given = [{key: harmless(cell) for key, cell in row.items()} for row in rows] if safe else rows
        write_text(path, as_csv(given) if given else ",".join(columns) + "\r\n")
