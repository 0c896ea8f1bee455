"""Files of text, as far as they are the same whatever stands in them."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import Any

from rankhub.interfaces.errors import UserError
from rankhub_tables.cells import lines_of
from rankhub_tables.table import Record, Table
from rankhub_tables.wording import some

RELEASED = "get the file as released"
"""What to do with a published file that is not as it should be."""


_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""What other encodings begin with: Excel's "Unicode text" is UTF-16."""


def read_text(source: Path, otherwise: str = RELEASED) -> str:
    """The text of a file in UTF-8, or where its first bytes say so in UTF-16 or UTF-32; line ends as they are.

    Args:
        source: The file.
        otherwise: What to do if it is no such text, as the end of a sentence.

    Raises:
        UserError: It cannot be read, or is no such text.
    """
    try:
        content = source.read_bytes()
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error.strerror}") from None
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding).replace("\ufeff", "")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        where = f" ({_location(before.decode(encoding, 'replace'))})" if encoding == "utf-8" else ""
        raise UserError(f"{source} is no text in {encoding.upper()}{where}; {otherwise}") from None
    if "\0" in text:
        where = _location(text[: text.index("\0")])
        raise UserError(f"{source} is no text: {where} is a NUL, as in a damaged file or in UTF-16; {otherwise}")
    return text


def _location(before: str) -> str:
    """Line and column, from 1, of what follows a text."""
    lines = lines_of(f"{before}|")
    return f"line {len(lines)}, column {len(lines[-1])}"


def read_lines(source: Path) -> list[tuple[int, str]]:
    """Number, from 1, and text of each line of a published file that is not blank, without blanks around it.

    Raises:
        UserError: As :func:`read_text`.
    """
    lines = enumerate(lines_of(read_text(source)), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def read_pattern(source: Path, pattern: re.Pattern[str], takes: str) -> Table:
    """The lines of a published file that are not blank.

    Args:
        source: The file.
        pattern: Of a whole line without blanks around; its named groups are the columns.
        takes: What a line takes, with an example, for the sentence.

    Raises:
        UserError: The file cannot be read, or a line is otherwise.
    """
    records = []
    for number, line in read_lines(source):
        match = pattern.fullmatch(line)
        if match is None:
            raise UserError(f"{source}, line {number}: a line takes {takes}")
        records.append(Record(number, match.groupdict()))
    return Table(source, records)


def read_object(source: Path, form: str, otherwise: str = RELEASED) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        source: The file.
        form: What it ought to look like, for the sentence.
        otherwise: What to do if it is none, as the end of a sentence.

    Raises:
        UserError: It cannot be read, is no JSON or no object, or an object names a key twice.
    """
    try:
        content = json.loads(read_text(source, otherwise), object_pairs_hook=_once)
    except _TwiceError as error:
        raise UserError(f"{source} names {error} more than once; keep one entry of each") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is no JSON ({error}); {otherwise}") from None
    if not isinstance(content, dict):
        raise UserError(f"{source} is no object of the form {form}; {otherwise}")
    return content


class _TwiceError(Exception):
    """Keys of a JSON object that are there twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(some(sorted({name for name in names if names.count(name) > 1})))
    return found
