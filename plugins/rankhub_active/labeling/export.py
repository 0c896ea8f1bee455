"""Writes the table of a pool, and its labels, as files that others read."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

from rankhub import UserError
from rankhub.interfaces.files import write_text
from rankhub_active.labeling.labels import read_points
from rankhub_active.labeling.pool import Part, Pool, PoolRow
from rankhub_tables.writing import csv_line

COLUMNS = ("path", "part", "state", "label", "round", "score", "source", "answered")
"""Of the exported table."""


def write_table(pool: Pool, path: Path, *, safe: bool = False) -> int:
    """Write the whole table of a pool as CSV, with the columns of :data:`COLUMNS`; returns the number of rows.

    A label is a number, or the points as JSON ``[[x, y], ...]``; what is not known is empty. ``safe``: whether names
    that a spreadsheet would take for formulas get an apostrophe before them.

    Raises:
        UserError: The file cannot be written.
    """
    rows = pool.rows()
    write_csv(path, COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in rows), safe=safe)
    return len(rows)


def write_labels(pool: Pool, part: Part, path: Path, *, without: Container[str] = ()) -> Path:
    """Write the labels of a part as CSV, as the data sets of scores, counts and points read it.

    Scores and counts: ``path,score``, a row an image. Points: ``path,x,y``, a row a point; an image without a point
    stands once with x and y left empty. Paths are relative to the folder of images. Images without a label are left
    out; where none has one, the header stands alone.

    A file that is there is replaced, and never seen half written; ``without`` are paths that are left out, such as
    those whose files are gone. Returns ``path``.

    Raises:
        UserError: The file cannot be written.
    """
    write_csv(path, *_labels(pool, part, without))
    return path


def are_labels(pool: Pool, part: Part, path: Path, *, without: Container[str] = ()) -> bool:
    """Whether a file holds what :func:`write_labels` would write now.

    Raises:
        UserError: The file cannot be read.
    """
    columns, rows = _labels(pool, part, without)
    try:
        return "".join(map(csv_line, (columns, *rows))).encode() == path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _labels(pool: Pool, part: Part, without: Container[str]) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    """Columns and rows of the labels of a part."""
    rows = [row for row in pool.rows(state="labeled", part=part) if row.path not in without]
    if pool.settings.takes == "points":
        return ("path", "x", "y"), _points(rows)
    return ("path", "score"), ((row.path, row.label) for row in rows)


def _points(rows: Iterable[PoolRow]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        assert row.label is not None, "the table's own law: labeled images have a label"
        marked = read_points(row.label)
        yield from ((row.path, x, y) for x, y in marked)
        if not marked:
            yield row.path, "", ""


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], *, safe: bool = False) -> None:
    """Write a table, whole or not at all; ``safe``: see :func:`rankhub_tables.writing.csv_line`.

    Raises:
        UserError: The file cannot be written.
    """
    write_text(path, "".join(csv_line(line, safe=safe) for line in (columns, *rows)))
