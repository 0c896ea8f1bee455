"""Which paths and addresses stand for images in a Lance table."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rankhub_use.places import ImageSource

if TYPE_CHECKING:
    from rankhub_pack.place import LancePlace

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/]+/(?:[^/]+/)*?[^/]+\.lance)(?:/(.*))?", re.DOTALL)
"""An object store's bucket, folders, the table, and what stands behind it."""

_VERSIONS = "_versions"
"""What every Lance table on a disk has: the folder of its manifests."""

_FOLDERS = 4096
"""Of which it is remembered whether they are tables."""


class LanceSource(ImageSource):
    """Images in tables that `rankhub pack` made: `photos.lance`, `photos.lance/a.jpg`, `s3://bucket/photos.lance`.

    Needs the extra: pip install 'rankhub[lance]'. On a disk a folder is a table if it is one, whatever it is called; in
    an object store a table's name ends in `.lance`. Where the store is and its keys come from the environment, as Lance
    reads it (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT`).
    """

    def __init__(self) -> None:
        self._above: dict[str, str | None] = {}

    def split(self, text: str) -> tuple[str, str] | None:
        """A folder that is a Lance table, or a name below one; an address with a name that ends in ``.lance``."""
        text = text.removeprefix("file://")
        if "://" in text:
            found = _ADDRESS.fullmatch(text)
            return (found[1], found[2] or "") if found else None
        path = os.path.expanduser(text).rstrip("/") or "/"
        if _is_table(path):
            return path, ""
        table = self._table_above(os.path.dirname(path))
        if table is None or os.path.lexists(path):  # a file that lies in the table's folder is what it is
            return None
        return table, path[len(table) :].lstrip("/")

    def open(self, place: str) -> LancePlace:
        """The table at its newest version.

        Raises:
            UserError: pylance is not installed; the table is not there, is being packed, or does not say what its
                images are called; or the store does not answer.
        """
        from rankhub_pack.place import open_place

        return open_place(place)

    def _table_above(self, folder: str) -> str | None:
        """The table that a folder is, or lies in as a name; looked for once in each folder."""
        if folder not in self._above:
            if len(self._above) >= _FOLDERS:
                self._above.clear()
            above = os.path.dirname(folder)
            if not folder or _is_table(folder):
                self._above[folder] = folder or None
            else:
                self._above[folder] = None if above == folder else self._table_above(above)
        return self._above.get(folder)


def _is_table(folder: str) -> bool:
    try:
        return os.path.isdir(os.path.join(folder, _VERSIONS))
    except ValueError:  # a NUL in the name
        return False
