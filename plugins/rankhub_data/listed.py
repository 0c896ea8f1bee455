"""The images of a folder that a file lists."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_data.folder_report import shown
from rankhub_data.scan import Listing

COLUMN = "path"


def only_listed(listing: Listing, file: Path, root: Path) -> Listing:
    """What a folder holds, of its images only those that a CSV file names in its column ``path``.

    Args:
        listing: The whole folder.
        file: The CSV file, in UTF-8.
        root: The folder, for messages.

    Raises:
        UserError: The file cannot be read, has no such column or lists nothing, or names an image that is not there.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            table = csv.DictReader(text)
            columns = table.fieldnames or ()
            rows = [(table.line_num, row.get(COLUMN)) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read as CSV in UTF-8: {error}") from None
    if COLUMN not in columns:
        raise UserError(f"{file} has no column `{COLUMN}`; its first line names the columns")
    nameless = [line for line, name in rows if not name]
    if nameless:
        raise UserError(f"line {nameless[0]} of {file} names no path; name an image or take the line out")
    names = {name for _, name in rows if name}
    if not names:
        raise UserError(f"{file} lists no image; name some, or leave `listed` out to take the whole folder")
    unknown = names - {one.path for one in (*listing.files, *listing.faults)}
    if unknown:
        raise UserError(
            f"{len(unknown)} of the {len(names)} images that {file} lists are not in {root}, such as "
            f"{shown(min(unknown))}; write paths relative to that folder"
        )
    return replace(
        listing,
        files=[one for one in listing.files if one.path in names],
        faults=[one for one in listing.faults if one.path in names],
    )
