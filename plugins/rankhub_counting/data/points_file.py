"""Points of many images in one file: CSV with a row a point, or JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.marks import Floats, as_points
from rankhub_tables.delimited import read_delimited
from rankhub_tables.table import Record, Table
from rankhub_tables.text import read_object


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a CSV file are called.

    Attributes:
        path: Of the image.
        x: From the left.
        y: From the top.
    """

    path: str
    x: str
    y: str


def read_points_file(source: Path, columns: Columns) -> Mapping[str, Floats]:
    """Path of an image, as it is written -> [n, 2] its points, in the file's order.

    Args:
        source: ``*.json``: an object of paths, each with a list of [x, y]. Anything else is a table of text.
        columns: Of a table. A row with neither x nor y says that there is an image, perhaps without a point.

    Raises:
        UserError: The file cannot be read or names no image, a path is missing, or a coordinate is no finite number.
    """
    found = _json(source) if source.suffix.lower() == ".json" else _table(source, columns)
    if not found:
        raise UserError(f"{source} names no image")
    return found


def _table(source: Path, columns: Columns) -> dict[str, Floats]:
    table = read_delimited(source, [columns.path, columns.x, columns.y])
    table.refuse(f"`{columns.path}` is empty", [record for record in table if not record[columns.path]])
    half = [record for record in table if bool(record[columns.x]) != bool(record[columns.y])]
    table.refuse(f"only one of `{columns.x}` and `{columns.y}` is given", half)
    marked = [record for record in table if record[columns.x]]
    points: dict[str, list[tuple[float, float]]] = {record[columns.path]: [] for record in table}
    for record, *point in zip(marked, *(_column(table, name, marked) for name in (columns.x, columns.y)), strict=True):
        points[record[columns.path]].append((point[0], point[1]))
    return {path: np.array(of, dtype=np.float64).reshape(-1, 2) for path, of in points.items()}


def _column(table: Table, name: str, records: Sequence[Record]) -> list[float]:
    values = table.numbers(name, records)
    infinite = [record for record, value in zip(records, values, strict=True) if not math.isfinite(value)]
    table.refuse(f"`{name}` is no finite number", infinite)
    return values


def _json(source: Path) -> dict[str, Floats]:
    content = read_object(source, '{"a.jpg": [[x, y], ...], ...}', "write the file anew")
    return {
        path: as_points(f"the list of {path} in {source}", points, may_be_empty=points == [])
        for path, points in content.items()
    }
