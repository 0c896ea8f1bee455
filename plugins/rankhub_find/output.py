"""What the verbs of this plugin write: tables as CSV or JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankhub.interfaces.files import as_csv, readable, write_text
from rankhub_tables.writing import harmless


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, safe: bool = False) -> None:
    """Rows as ``.csv``, or as a JSON list of objects; without rows a CSV has its header."""
    if path.suffix.lower() == ".json":
        write_text(path, as_json(rows) + "\n")
    else:
        given = [{key: harmless(cell) for key, cell in row.items()} for row in rows] if safe else rows
        write_text(path, as_csv(given) if given else ",".join(columns) + "\r\n")


def as_json(value: Any) -> str:
    """JSON in which every name can be written."""
    return json.dumps(_readable(value), ensure_ascii=False, indent=1)


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    return value
