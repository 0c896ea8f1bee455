"""Reads tables from Excel workbooks, with openpyxl where it is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rankhub.interfaces.errors import UserError
from rankhub_tables.table import Record, Table
from rankhub_tables.text import RELEASED

_HEADER_WITHIN = 20
"""The header stands in one of the first lines."""


def read_sheet(path: Path, sheet: str | None, columns: Sequence[str], instead: str) -> Table:
    """The rows of a table below the first line that names all the columns.

    Args:
        path: The workbook (.xlsx).
        sheet: Its name; None = the first.
        columns: Columns that the table must have.
        instead: What the user can do without openpyxl, as the end of a sentence.

    Returns:
        The rows that are not empty in all these columns; whole numbers have no decimals, empty cells are empty texts.

    Raises:
        UserError: openpyxl is not installed, or there is no such workbook, sheet or table.
    """
    try:
        import openpyxl
    except ImportError:
        raise UserError(
            f"{path} is an Excel workbook, and reading one takes openpyxl: `pip install openpyxl`, or {instead}"
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with contextlib.closing(book):
            if sheet is not None and sheet not in book.sheetnames:
                raise UserError(f"{path} has no sheet {sheet}, only {', '.join(book.sheetnames)}; {RELEASED}")
            rows = (book[sheet] if sheet is not None else book.worksheets[0]).iter_rows(values_only=True)
            lines = [[_text(cell) for cell in row] for row in rows]
    except UserError:
        raise
    except Exception:  # whatever openpyxl and the XML parser below it meet: a part missing, an entity bomb
        raise UserError(f"{path} is no Excel workbook (.xlsx), or it is damaged; get it anew") from None
    return Table(path, _records(path, lines, columns))


def _records(path: Path, lines: Sequence[Sequence[str]], columns: Sequence[str]) -> list[Record]:
    for number, line in enumerate(lines[:_HEADER_WITHIN], start=1):
        if set(columns) <= set(line):
            if twice := next((name for name in columns if line.count(name) > 1), None):
                raise UserError(f"{path} has more than one column {twice} on line {number}; keep the one that is meant")
            index = {name: line.index(name) for name in columns}
            # A line may end with its last cell that is not empty.
            rows = [
                Record(row, {name: "".join(cells[at : at + 1]) for name, at in index.items()})
                for row, cells in enumerate(lines[number:], start=number + 1)
            ]
            return [row for row in rows if any(row.fields.values())]
    raise UserError(f"{path} has no line that names the columns {', '.join(columns)}; {RELEASED}")


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
