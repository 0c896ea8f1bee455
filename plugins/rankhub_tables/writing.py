"""Tables that are written: lines of CSV that no spreadsheet computes, names that a file system takes."""

import csv
import io
import os
import zlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from rankhub.interfaces.files import LONGEST, readable


def csv_line(cells: Iterable[Any], *, safe: bool = False, end: str = "\n") -> str:
    """One line of CSV; ``safe``: with its cells as :func:`harmless` has them."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerow(map(harmless, cells) if safe else cells)
    return readable(text.getvalue())


def harmless(cell: Any) -> Any:
    """A cell; a text that a spreadsheet would take for a formula with an apostrophe before it, as OWASP advises."""
    return f"'{cell}" if isinstance(cell, str) and _is_formula(cell) else cell


def _is_formula(text: str) -> bool:
    """What a spreadsheet computes, by its first letter; a number is one to it as well."""
    if not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")):
        return False
    with suppress(ValueError):
        float(text)
        return False
    return True


def fitting(name: str, ending: str) -> str:
    """A name with an ending that a file system takes: of one that is too long the last letters give way to a number."""
    full = f"{name}{ending}"
    folder, _, own = full.rpartition("/")
    if len(os.fsencode(own)) <= LONGEST:
        return full
    tail = f"_{zlib.crc32(os.fsencode(own)):08x}{ending}"
    kept = os.fsencode(own)[: LONGEST - len(tail)].decode("utf-8", "ignore")
    return f"{folder}/{kept}{tail}" if folder else f"{kept}{tail}"
