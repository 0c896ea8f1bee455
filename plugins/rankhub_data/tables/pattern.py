"""Reads text files of one row a line, without a header."""

from __future__ import annotations

import re
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_data.tables.table import Record, Table
from rankhub_data.tables.text import read_lines


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
