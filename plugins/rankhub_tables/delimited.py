"""Reads tables of text: comma, semicolon or tab, with a header."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_tables.table import Record, Table
from rankhub_tables.text import read_text
from rankhub_tables.wording import some

_DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons"}


@dataclass(frozen=True, slots=True)
class Delimited:
    """A table of text of which the first line was read.

    Attributes:
        source: The file.
        text: What it holds.
        delimiter: Between fields.
        header: What the first line names, without blanks around.
    """

    source: Path
    text: str
    delimiter: str
    header: Sequence[str]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line and fields, without blanks around, of each row below the header; rows of nothing are passed over.

        Rows may have more or fewer fields than the header: whether one is refused is for the caller to say.

        Raises:
            UserError: The text cannot be taken apart.
        """
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.delimiter)
        try:
            next(reader, None)
            for values in reader:
                fields = [value.strip() for value in values]
                if any(fields):
                    yield reader.line_num, fields
        except csv.Error as error:
            raise UserError(f"{self.source}, line {reader.line_num}: {error}") from None

    def lacks(self, columns: Sequence[str]) -> str:
        """The sentence on a column that is not there, of which there is one."""
        if self.text.lstrip().startswith("<"):
            return f"{self.source} is a web page in place of a table; download the file itself"
        absent = next(name for name in columns if name not in self.header)
        near = difflib.get_close_matches(absent, self.header, n=1)
        nearest = f" (did you mean {near[0]}?)" if near else ""
        shown = ", ".join(self.header[:12]) if any(self.header) else "nothing"
        return (
            f"{self.source} has no column {absent}{nearest}; its first line, split at {_DELIMITERS[self.delimiter]}, "
            f"names {shown}"
        )


def open_delimited(source: Path, suits: Callable[[Sequence[str]], int]) -> Delimited:
    """A table in UTF-8 whose first line names the columns, taken apart at the delimiter that suits best.

    Args:
        source: The file.
        suits: How many of the columns that are wanted a header has. Where this is equal, more columns are better.

    Raises:
        UserError: It cannot be read, or is no text.
    """
    text = read_text(source, "export the table as CSV in UTF-8")
    first = io.StringIO(text, newline="").readline()
    try:
        headers = {sign: _header(first, sign) for sign in _DELIMITERS}
    except csv.Error as error:
        raise UserError(f"{source}, line 1: {error}") from None
    delimiter = max(headers, key=lambda sign: (suits(headers[sign]), len(headers[sign])))
    return Delimited(source, text, delimiter, headers[delimiter])


def read_delimited(source: Path, columns: Sequence[str]) -> Table:
    """The rows of a table in UTF-8 whose first line names the columns.

    Args:
        source: The file.
        columns: Columns that it must have.

    Raises:
        UserError: It cannot be read, a column is missing, or a row has another number of fields than the header.
    """
    found = open_delimited(source, lambda header: len(set(columns) & set(header)))
    if not set(columns) <= set(found.header):
        raise UserError(found.lacks(columns))
    records, ragged = [], []
    for line, fields in found.rows():
        if len(fields) == len(found.header):
            records.append(Record(line, dict(zip(found.header, fields, strict=True))))
        else:
            ragged.append(f"line {line} has {len(fields)}")
    if ragged:
        raise UserError(
            f"{source}: the header has {len(found.header)} fields, but {some(ragged)}; quote fields with delimiters"
        )
    return Table(source, records)


def _header(first: str, delimiter: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
