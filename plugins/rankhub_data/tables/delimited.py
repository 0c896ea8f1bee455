"""Reads tables of text: comma, semicolon or tab, with a header."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_data.wording import some

_DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons"}


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a table.

    Attributes:
        line: Of the file, from 1; the last one where a quoted field spans several.
        fields: Column -> text, without blanks around it.
    """

    line: int
    fields: dict[str, str]


def read_delimited(path: Path, columns: Sequence[str]) -> list[Record]:
    """The rows of a table in UTF-8 whose first line names the columns.

    The delimiter is the one with which the header has the columns that are asked for.

    Args:
        path: The file.
        columns: Columns that it must have.

    Raises:
        UserError: It cannot be read, a column is missing, or a row has another number of fields than the header.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text in UTF-8; export the table as CSV in UTF-8") from None
    delimiter = _delimiter(path, text.partition("\n")[0], columns)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = _header(next(reader))
        records, ragged = [], []
        for values in reader:
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                ragged.append(f"line {reader.line_num} has {len(values)}")
            else:
                fields = {name: value.strip() for name, value in zip(header, values, strict=True)}
                records.append(Record(reader.line_num, fields))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    if ragged:
        raise UserError(
            f"{path}: the header has {len(header)} fields, but {some(ragged)}; quote fields with delimiters"
        )
    return records


def _header(values: Sequence[str]) -> list[str]:
    return [value.strip() for value in values]


def _delimiter(path: Path, first: str, columns: Sequence[str]) -> str:
    headers = {delimiter: _header(next(csv.reader([first], delimiter=delimiter), [])) for delimiter in _DELIMITERS}
    for delimiter, header in headers.items():
        if set(columns) <= set(header):
            return delimiter
    delimiter, header = max(headers.items(), key=lambda item: (len(set(columns) & set(item[1])), len(item[1])))
    absent = [name for name in columns if name not in header]
    if first.lstrip().startswith("<"):
        raise UserError(f"{path} is a web page in place of a table; download the file itself")
    near = difflib.get_close_matches(absent[0], header, n=1)
    nearest = f" (did you mean {near[0]}?)" if near else ""
    shown = ", ".join(header[:12]) if any(header) else "nothing"
    raise UserError(
        f"{path} has no column {absent[0]}{nearest}; its first line, split at {_DELIMITERS[delimiter]}, names {shown}"
    )
