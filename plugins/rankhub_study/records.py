"""The record of a finished job in its folder; a job without it is still to do."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, FiniteFloat

from rankhub.interfaces.files import read_json, write_text

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


class _Record(BaseModel):
    rows: dict[str, dict[str, float]]
    pairs: dict[str, dict[str, tuple[list[float], list[float]]]]
    seconds: FiniteFloat
    training: FiniteFloat
    steps: int


@cache
def _read(file: Path, time: int) -> Record:
    return dict(read_json(file, _Record, "remove it, and the study does this job again").model_dump())
