"""The record of a finished job in its folder; a job without it is still to do."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from rankhub_active.labeling.export import write_text

RECORD = "study.json"

Record = dict[str, Any]
"""``rows``: row of the report, or number of labels -> EVALUATOR.METRIC -> value; ``pairs``: row -> evaluator -> true
and predicted values; ``seconds`` in all, ``training`` alone, ``steps``."""


def write_record(folder: Path, record: Record) -> None:
    """Write the record of a finished job."""
    write_text(folder / RECORD, json.dumps(record) + "\n")


def read_record(folder: Path) -> Record | None:
    """The record of a job; None if it is not finished."""
    file = folder / RECORD
    return _read(file, file.stat().st_mtime_ns) if file.is_file() else None


@cache
def _read(file: Path, time: int) -> Record:
    return dict(json.loads(file.read_text()))
