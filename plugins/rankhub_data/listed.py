"""The images of a folder that a file lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import readable
from rankhub_listing.scan import Listing
from rankhub_tables.delimited import read_delimited
from rankhub_tables.names import PathFinder

COLUMN = "path"


def only_listed(listing: Listing, file: Path, root: Path) -> Listing:
    """What a folder holds, of its images only those that a table names in its column ``path``.

    Args:
        listing: The whole folder.
        file: The table of text; see :mod:`rankhub_tables.delimited`.
        root: The folder; absolute.

    Raises:
        UserError: The file cannot be read, has no such column or lists nothing, or names an image that is not there.
    """
    table = read_delimited(file, [COLUMN])
    table.refuse(f"`{COLUMN}` is empty", [row for row in table if not row[COLUMN]], "name an image or take the row out")
    asked = {row[COLUMN]: row.location for row in table}
    if not asked:
        raise UserError(f"{file} lists no image; name some, or leave `listed` out to take the whole folder")
    known = PathFinder([*listing.files.paths, *(one.path for one in listing.faults)], str(root))
    found = {name: known.find(name) for name in asked}
    if unknown := [name for name, path in found.items() if path is None]:
        raise UserError(
            f"{len(unknown)} of the {len(asked)} images that {file} lists are not in {root}, such as "
            f"{readable(min(unknown))} ({asked[min(unknown)]}); write paths relative to that folder"
        )
    names = set(found.values())
    return replace(
        listing,
        files=listing.files.chosen([row for row, path in enumerate(listing.files.paths) if path in names]),
        faults=[one for one in listing.faults if one.path in names],
    )
