"""Points of many images in one file: CSV with a row a point, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.marks import Floats, as_points
from rankhub_data.tables.delimited import Record, read_delimited
from rankhub_data.tables.numbers import numbers
from rankhub_data.wording import some


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
    records = read_delimited(source, [columns.path, columns.x, columns.y])
    _complain(source, f"`{columns.path}` is empty", (r for r in records if not r.fields[columns.path]))
    half = (r for r in records if bool(r.fields[columns.x]) != bool(r.fields[columns.y]))
    _complain(source, f"only one of `{columns.x}` and `{columns.y}` is given", half)
    marked = [record for record in records if record.fields[columns.x]]
    x, y = (_column(source, name, marked) for name in (columns.x, columns.y))
    points: dict[str, list[tuple[float, float]]] = {record.fields[columns.path]: [] for record in records}
    for record, point in zip(marked, zip(x, y, strict=True), strict=True):
        points[record.fields[columns.path]].append(point)
    return {path: np.array(of, dtype=np.float64).reshape(-1, 2) for path, of in points.items()}


def _column(source: Path, name: str, records: list[Record]) -> list[float]:
    values = numbers(source, name, ((f"line {record.line}", record.fields[name]) for record in records))
    infinite = [record for record, value in zip(records, values, strict=True) if not np.isfinite(value)]
    _complain(source, f"`{name}` is no finite number", infinite)
    return values


def _complain(source: Path, what: str, records: Iterable[Record]) -> None:
    if lines := [f"line {record.line}" for record in records]:
        raise UserError(f"{source}: {what} on {some(lines)}; mend these rows or take them out")


def _json(source: Path) -> dict[str, Floats]:
    try:
        content = json.loads(source.read_text("utf-8-sig"), object_pairs_hook=_once)
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{source} is no text in UTF-8; write the file anew") from None
    except _TwiceError as twice:
        raise UserError(f"{source} names {twice} more than once; put all points of an image into one list") from None
    except ValueError as error:
        raise UserError(f"{source} is no JSON ({error}); write the file anew") from None
    if not isinstance(content, dict):
        raise UserError(f'{source} is no object of the form {{"a.jpg": [[x, y], ...], ...}}; write the file anew')
    return {
        path: as_points(f"the list of {path} in {source}", points, may_be_empty=points == [])
        for path, points in content.items()
    }


class _TwiceError(Exception):
    """A key of a JSON object that is there twice."""


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(name)
        found[name] = value
    return found
