"""Takes a table of text apart: lines into cells, with quotation marks that cannot swallow rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE_END = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r' *"([^"]*(?:""[^"]*)*)" *')
_OPENED = re.compile(r' *"')
_WITHIN = 50
"""Lines that a quoted cell may span; more is a quotation mark that was never closed."""
_LONGEST = 1_000_000
"""Characters in a cell; longer ones are no cells of a table."""


class CellError(ValueError):
    """What is wrong with a table, where, and what to do: the rest of a sentence that begins with the file."""


def lines_of(text: str) -> list[str]:
    """The lines of a text, whichever line ends it has; other signs that Unicode takes for such ends are kept."""
    lines = _LINE_END.split(text)
    if lines[-1] == "":
        lines.pop()
    return lines


def split_line(line: str, delimiter: str, number: int = 1) -> list[str]:
    """The cells of one line, without blanks around.

    Raises:
        CellError: A quotation mark is not closed, or something follows it.
    """
    cells = _parse(line, delimiter, number)
    if isinstance(cells, int):
        raise CellError(_unclosed(number, cells))
    return cells


def rows_of(lines: list[str], start: int, delimiter: str, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Line, from 1, and cells, without blanks around, of each row; rows of nothing are passed over.

    A cell in quotation marks may span lines, but at most one of them could be a row by itself: two stray marks would
    otherwise take rows away without a word.

    Args:
        lines: Of the whole file.
        start: The first line to read, from 0.
        delimiter: Between cells.
        columns: How many the header has.

    Raises:
        CellError: A quotation mark is not closed or stands where none may, or a cell is too long.
    """
    at = start
    while at < len(lines):
        number, line = at + 1, lines[at]
        cells = _parse(line, delimiter, number)
        rows = int(line.count(delimiter) >= columns - 1)
        while isinstance(cells, int):
            at += 1
            ended = at >= len(lines) or at + 1 - number > _WITHIN
            rows += not ended and lines[at].count(delimiter) >= columns - 1
            if ended or rows > 1:
                raise CellError(_unclosed(number, cells))
            line = f"{line}\n{lines[at]}"
            cells = _parse(line, delimiter, number)
        at += 1
        if any(cells):
            yield at, cells


def _parse(line: str, delimiter: str, number: int) -> list[str] | int:
    """The cells, or the column, from 1, of a quotation mark that is not closed."""
    if len(line) > _LONGEST and max(map(len, line.split(delimiter))) > _LONGEST:
        raise CellError(f"line {number}: a cell has more than {_LONGEST:,} characters; is this the right file?")
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    cells, at = [], 0
    while True:
        match = _OPENED.match(line, at)
        if match is None:
            end = line.find(delimiter, at)
            end = len(line) if end < 0 else end
            cells.append(line[at:end].strip())
        else:
            opened = match.end()
            match = _QUOTED.match(line, at)
            if match is None:
                return opened
            end = match.end()
            follows = end < len(line) and line[end] != delimiter
            if follows and "\n" in match[1]:
                raise CellError(_unclosed(number, opened))
            if follows:
                raise CellError(
                    f"line {number}, column {end + 1}: {line[end : end + 10]!r} stands after a quotation mark that "
                    'closes a cell; write "" for a quotation mark within one'
                )
            cells.append(match[1].replace('""', '"').strip())
        if end >= len(line):
            return cells
        at = end + 1


def _unclosed(number: int, column: int) -> str:
    return (
        f"line {number}, column {column}: the quotation mark that opens a cell here is not closed on this line, and "
        "the rows below would be lost in the cell; take the mark out, or the line ends out of the cell"
    )
