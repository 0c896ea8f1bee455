"""What the verbs of this plugin write: tables as CSV or JSON, and the checks of their names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankhub import UserError
from rankhub.interfaces.files import as_csv, readable, write_text
from rankhub_tables.writing import harmless


def check_target(option: str, path: Path | None, force: bool, endings: Sequence[str]) -> None:
    """Refuse a file that cannot be written, before any work.

    Raises:
        UserError: It is there, is a folder, has another ending, or its folder is not there.
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise UserError(f"{option} {path} has to end in {' or '.join(endings)}")
    if path.exists() and not path.is_file():
        raise UserError(f"{option} {path} is a folder, or no plain file; name a file")
    if path.exists() and not force:
        raise UserError(f"{option} {path} is there already; name another file, or --force to replace it")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{option} {path}: there is no folder {path.absolute().parent}; make it first")


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
