"""Points of many images in one file: CSV with a row a point, or JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.marks import as_points
from rankhub_data.placed import Floats, doubts
from rankhub_tables.delimited import read_delimited
from rankhub_tables.names import spelled
from rankhub_tables.table import Record, Table
from rankhub_tables.text import read_object
from rankhub_tables.wording import some


@dataclass(frozen=True, slots=True)
class Of:
    """The points that a file has of one image.

    Attributes:
        path: As it is first written.
        location: Where, for sentences.
        points: [n, 2] in the file's order.
    """

    path: str
    location: str
    points: Floats


def read_points_file(source: Path, columns: tuple[str, str, str], root: Path) -> list[Of]:
    """The images that a file names, in its order.

    Args:
        source: ``*.json``: an object of paths, each with a list of [x, y]. Anything else is a table of text.
        columns: Of a table, for path, x and y; with neither x nor y a row says that there is an image, perhaps without
            a point.
        root: The folder of the images; absolute. Rows that spell a path below it in several ways are of one image.

    Raises:
        UserError: The file cannot be read or names no image, a path is missing, a coordinate is no finite number, or
            points cannot be what was meant (see :func:`~rankhub_data.placed.doubts`).
    """
    found = _json(source) if source.suffix.lower() == ".json" else _table(source, columns, root)
    if not found:
        raise UserError(f"{source} names no image")
    if wrong := doubts([of.points for of in found]):
        first, said = next(iter(wrong.items()))
        others = [found[number].path for number in wrong if number != first]
        also = f" (so it is with {some(others)})" if others else ""
        raise UserError(f"{source}, {found[first].location}: {found[first].path}: {said}{also}")
    return found


def _table(source: Path, columns: tuple[str, str, str], root: Path) -> list[Of]:
    path, x, y = columns
    table = read_delimited(source, columns)
    table.refuse(f"`{path}` is empty", [record for record in table if not record[path]])
    table.refuse(f"only one of `{x}` and `{y}` is given", [one for one in table if bool(one[x]) != bool(one[y])])
    marked = [record for record in table if record[x]]
    keys = {written: spelled(written, str(root)) for written in {record[path] for record in table}}
    first: dict[str, Record] = {}
    for record in table:
        first.setdefault(keys[record[path]], record)
    points: dict[str, list[tuple[float, float]]] = {key: [] for key in first}
    for record, *point in zip(marked, _column(table, x, marked), _column(table, y, marked), strict=True):
        points[keys[record[path]]].append((point[0], point[1]))
    return [
        Of(row[path], row.location, np.array(points[key], dtype=np.float64).reshape(-1, 2))
        for key, row in first.items()
    ]


def _column(table: Table, name: str, records: Sequence[Record]) -> list[float]:
    values = table.numbers(name, records)
    infinite = [record for record, value in zip(records, values, strict=True) if not math.isfinite(value)]
    table.refuse(f"`{name}` is no finite number", infinite)
    return values


def _json(source: Path) -> list[Of]:
    content = read_object(source, '{"a.jpg": [[x, y], ...], ...}', "write the file anew")
    return [
        Of(path, f"entry {number}", as_points(f"the list of {path} in {source}", points, may_be_empty=points == []))
        for number, (path, points) in enumerate(content.items(), start=1)
    ]
