"""The one reader of tables of text: comma, semicolon or tab, with a header. Strict in meaning, forgiving in form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_tables.cells import CellError, lines_of, rows_of, split_line
from rankhub_tables.names import folded
from rankhub_tables.table import Record, Table
from rankhub_tables.text import read_text
from rankhub_tables.wording import some

_DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons"}
_SAID = re.compile(r"sep=([,;\t])", re.IGNORECASE)
"""The line that Excel writes and reads above a header."""
_WHOLE = re.compile(r"[+-]?\d+")
_LONGEST = 1_000
"""Characters of a column's name; what is longer is no header."""


@dataclass(frozen=True, slots=True)
class Delimited:
    """A table of text of which the header was read.

    Attributes:
        source: The file.
        lines: What it holds.
        start: The first line below the header, from 0.
        delimiter: Between fields.
        header: The names of the columns, without blanks around.
    """

    source: Path
    lines: list[str]
    start: int
    delimiter: str
    header: Sequence[str]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line and fields, without blanks around, of each row below the header; rows of nothing are passed over.

        Rows may have more or fewer fields than the header: whether one is refused is for the caller to say. Empty ones
        beyond the header's are dropped.

        Raises:
            UserError: The text cannot be taken apart, or names the columns again.
        """
        width = len(self.header)
        try:
            for line, fields in rows_of(self.lines, self.start, self.delimiter, width):
                # A cell that spans lines may have joined two rows, and their number of cells is what tells.
                if not any(fields[width:]) and not any("\n" in field for field in fields):
                    self._refuse_halves(line, fields)
                    del fields[width:]
                if fields == self.header:
                    raise CellError(
                        f"line {line} names the columns again, as where two tables were joined; keep one such line, "
                        "and each row once"
                    )
                yield line, fields
        except CellError as error:
            raise UserError(f"{self.source}, {error}") from None

    def _refuse_halves(self, line: int, fields: Sequence[str]) -> None:
        """Refuse a row in which a decimal comma may have moved all further cells on, into fields without a name."""
        named = max((at for at, name in enumerate(self.header, start=1) if name), default=0)
        if self.delimiter == "," and (len(fields) > len(self.header) or any(fields[named:])):
            for whole, rest in pairwise(fields):
                if _WHOLE.fullmatch(whole) and rest.isdecimal():
                    raise CellError(
                        f"line {line}: {whole},{rest} may be one number with a decimal comma, for the row has more "
                        "fields than columns have names; decimals take a point, and rows as many fields as the header"
                    )

    def column_index(self, column: str) -> int | None:
        """Where a column stands: the one called so, else the one called so in another case; None where none is.

        Raises:
            UserError: Several are called so.
        """
        exact = [at for at, name in enumerate(self.header) if name == column]
        indices = exact or [at for at, name in enumerate(self.header) if folded(name) == folded(column)]
        if len(indices) > 1:
            said = " and ".join(str(at + 1) for at in indices)
            raise UserError(
                f"{self.source} has more than one column {column} (fields {said} of line {self.start}); keep the one "
                "that is meant"
            )
        return indices[0] if indices else None

    def lacks(self, columns: Sequence[str]) -> str:
        """The sentence on a column that is not there, of which there is one."""
        if "".join(self.lines[:5]).lstrip().startswith("<"):
            return f"{self.source} is a web page in place of a table; download the file itself"
        absent = next(name for name in columns if self.column_index(name) is None)
        near = difflib.get_close_matches(absent, self.header, n=1)
        nearest = f" (did you mean {near[0]}?)" if near else ""
        shown = ", ".join(name[:40] for name in self.header[:12]) if any(self.header) else "nothing"
        return (
            f"{self.source} has no column {absent}{nearest}; its first line, split at {_DELIMITERS[self.delimiter]}, "
            f"names {shown}"
        )


def open_delimited(source: Path, suits: Callable[[Sequence[str]], int], text: str | None = None) -> Delimited:
    """A table whose first line that is not blank names the columns, taken apart at the delimiter that suits best.

    Args:
        source: The file.
        suits: How many of the columns that are wanted a header has. Where this is equal, more columns are better.
        text: What the file holds, if it was read before.

    Raises:
        UserError: It cannot be read, or is no text.
    """
    lines = lines_of(read_text(source, "export the table as CSV in UTF-8") if text is None else text)
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    first = lines[start] if lines else ""
    signs = tuple(_DELIMITERS)
    if (said := _SAID.fullmatch(first.strip(" "))) and start + 1 < len(lines):
        signs, start = (said[1],), start + 1
        first = lines[start]
    headers, wrong = {}, ""
    for sign in signs:
        try:
            headers[sign] = split_line(first, sign, start + 1)
        except CellError as error:
            wrong = wrong or str(error)
    delimiter = max(headers, key=lambda sign: (suits(headers[sign]), len(headers[sign])), default="")
    if wrong and not (delimiter and suits(headers[delimiter])):
        raise UserError(f"{source}, {wrong}")
    header = headers[delimiter]
    if long := next((at for at, name in enumerate(header, start=1) if len(name) > _LONGEST), 0):
        raise UserError(
            f"{source}, line {start + 1}: the name of column {long} has {len(header[long - 1]):,} characters; the "
            "first line names the columns"
        )
    return Delimited(source, lines, start + 1, delimiter, header)


def read_delimited(source: Path, columns: Sequence[str]) -> Table:
    """The rows of a table whose first line names the columns.

    Args:
        source: The file.
        columns: Columns that it must have; the others are passed over.

    Raises:
        UserError: It cannot be read, a column is missing or there twice, or a row has another number of fields than
            the header.
    """
    wanted = {folded(name) for name in columns}
    found = open_delimited(source, lambda header: len(wanted & {folded(name) for name in header}))
    indices = [found.column_index(name) for name in columns]
    if None in indices:
        raise UserError(found.lacks(columns))
    at = dict(zip(columns, (index for index in indices if index is not None), strict=True))
    records, ragged = [], []
    for line, fields in found.rows():
        if len(fields) == len(found.header):
            records.append(Record(line, {name: fields[index] for name, index in at.items()}))
        else:
            ragged.append(f"line {line} has {len(fields)}")
    if ragged:
        raise UserError(
            f"{source}: the header has {len(found.header)} fields, but {some(ragged)}; quote fields with delimiters"
        )
    return Table(source, records)
