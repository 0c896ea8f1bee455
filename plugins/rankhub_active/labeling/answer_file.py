"""Reads files of answers row by row; whether a label is valid is judged later."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankhub import UserError
from rankhub_active.labeling.export import COLUMNS
from rankhub_active.labeling.settings import Takes
from rankhub_tables.delimited import open_delimited
from rankhub_tables.text import read_text

OPEN, SKIP, UNKNOWN = "", "skip", "?"
"""Cells in place of a label: not answered yet; people cannot say; not answered yet, also where empty is an answer."""

_LABELS: dict[Takes, tuple[str, ...]] = {
    "score": ("score", "label"),
    "count": ("count", "label", "score"),  # the last as in the data set's own files
    "points": ("label",),
}
"""What a column may be called that holds whole labels."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One row of a file of answers: the label of an image, or one of its points.

    Attributes:
        line: Of the file, from 1; None in JSON, which is not written in lines.
        path: As it is written.
        value: The label as it is written; of points a list of [x, y]; or :data:`OPEN` or :data:`SKIP`.
    """

    line: int | None
    path: str
    value: Any


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is refused, and why.

    Attributes:
        line: Of the file, from 1; None in JSON.
        text: What is wrong with it, the image first where there is one.
    """

    line: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


@dataclass(slots=True)
class Written:
    """A file of answers as it is written.

    Attributes:
        rows: In the file's order; with :attr:`pointwise`, several rows may speak of an image.
        faults: Rows that say nothing that could be read.
        pointwise: Whether a row is a point.
    """

    rows: list[GivenAnswer] = field(default_factory=list)
    faults: list[BadRow] = field(default_factory=list)
    pointwise: bool = False


def read_answers(source: Path, takes: Takes) -> Written:
    """The rows of a file of answers.

    A table of text (see :mod:`rankhub_tables.delimited`) whose first line names the columns: ``path``, and ``score``,
    ``count`` or ``label``; of points ``x`` and ``y``, or ``label`` with the points of an image as JSON. Further columns
    do not matter. Or ``*.json``: ``{"a.jpg": label, ...}``, a label of points being ``[[x, y], ...]``.

    Raises:
        UserError: It cannot be read, or its columns are not there.
    """
    text = read_text(source, "save it as CSV in UTF-8")
    return _json(source, text) if source.suffix.lower() == ".json" else _table(source, text, takes)


def _table(source: Path, text: str, takes: Takes) -> Written:
    table = open_delimited(source, lambda names: _columns(source, _lower(names), takes) is not None, text)
    header = _lower(table.header)
    wanted = _columns(source, header, takes)
    if wanted is None:
        raise UserError(
            f"{source}: the first line names {', '.join(header[:12]) if any(header) else 'nothing'}; expected "
            f"{'path, x, y' if takes == 'points' else f'path, {takes}'}, with further columns as you like"
        )
    written = Written(pointwise="x" in wanted)
    indices = [header.index(name) for name in wanted]
    for line, values in table.rows():
        if len(values) == len(header):
            _take(written, line, [values[index] for index in indices], takes)
        else:
            said = f"{len(values)} fields, but the first line has {len(header)}; quote fields with delimiters in them"
            written.faults.append(BadRow(line, said))
    return written


def _lower(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]


def _take(written: Written, line: int, cells: Sequence[str], takes: Takes) -> None:
    """One row: path and label, or path, x and y."""
    path, *said = cells
    if not path:
        written.faults.append(BadRow(line, "no path; name an image or take the row out"))
        return
    words = {cell.lower() for cell in said if cell}
    if SKIP in words or UNKNOWN in words:
        if len(words) > 1:
            written.faults.append(BadRow(line, f"{path}: {' and '.join(said)} is no answer; write one of the two"))
        else:
            written.rows.append(GivenAnswer(line, path, SKIP if SKIP in words else OPEN))
    elif written.pointwise:
        if len(words) == 0 or all(said):
            written.rows.append(GivenAnswer(line, path, [said] if words else []))
        else:
            written.faults.append(BadRow(line, f"{path}: only one of x and y is there"))
    elif takes == "points" and words:
        try:
            written.rows.append(GivenAnswer(line, path, json.loads(said[0])))
        except ValueError:
            written.faults.append(
                BadRow(line, f"{path}: {said[0][:40]!r} is no list of points; expected [[x, y], ...]")
            )
    else:
        written.rows.append(GivenAnswer(line, path, said[0]))


def _columns(source: Path, header: Sequence[str], takes: Takes) -> list[str] | None:
    """The columns that hold the answers; None where they are not there."""
    if "path" not in header:
        return None
    found = [name for name in _LABELS[takes] if name in header]
    if takes == "points" and "x" in header and "y" in header:
        found.append("x, y")
    if set(COLUMNS[:6]) <= set(header):  # the exported table, whose score is the acquirer's
        found = ["label"]
    elif {"place", "part"} <= set(header):
        raise UserError(f"{source} is the list of what to label, not of answers; its scores are the acquirer's")
    if len(found) > 1:
        raise UserError(f"{source} has the columns {' and '.join(found)}; keep the one that holds the answers")
    if not found:
        return None
    wanted = ["path", *found[0].split(", ")]
    if twice := [name for name in wanted if header.count(name) > 1]:
        raise UserError(f"{source} has more than one column {twice[0]}; keep the one that holds the answers")
    return wanted


class _Pairs(dict[str, Any]):
    """An object of a JSON file, with the keys that it names more than once."""

    twice: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    found = _Pairs(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        found.twice = tuple(name for name, count in counts.items() if count > 1)
    return found


def _json(source: Path, text: str) -> Written:
    try:
        content = json.loads(text, object_pairs_hook=_pairs)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is no JSON ({error}); write the file anew") from None
    if not isinstance(content, Mapping):
        raise UserError(f'{source} is no object of the form {{"a.jpg": [[x, y], ...], ...}}; write the file anew')
    rows = [GivenAnswer(None, path, _value(value)) for path, value in content.items()]
    faults = [BadRow(None, f"{path}: named more than once; keep one") for path in getattr(content, "twice", ())]
    return Written(rows, faults)


def _value(value: Any) -> Any:
    if value is None or (isinstance(value, str) and value.strip() in (OPEN, UNKNOWN)):
        return OPEN
    return SKIP if isinstance(value, str) and value.strip().lower() == SKIP else value
