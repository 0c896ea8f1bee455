"""Paths and addresses that stand for images of places: which plugin knows them, each place opened once."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cached_property

import numpy as np

import rankhub
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import readable
from rankhub_use.named import NamedFile, PlacedFiles
from rankhub_use.places import ImagePlace, ImageSource

log = logging.getLogger("rankhub")


class Places:
    """All places that installed image sources know."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], ImagePlace | UserError] = {}
        self._rows: dict[int, _ByName] = {}

    @cached_property
    def sources(self) -> dict[str, ImageSource]:
        """``owner/name`` -> the source; one that cannot be used is warned of, and left out."""
        found = {}
        for one in rankhub.list_components("image_source"):
            try:
                found[one.full_name] = rankhub.build("image_source", {"use": one.full_name})
            except UserError as error:
                log.warning("the image source %s cannot be used: %s", one.full_name, error)
        return found

    def split(self, text: str) -> tuple[str, str, str] | None:
        """Source, place, and image in it ("" = all) that a path or an address stands for; None where it is no place's.

        Raises:
            UserError: Two sources take it for theirs.
        """
        found = [(name, *part) for name, source in self.sources.items() if (part := source.split(text)) is not None]
        if len(found) > 1:
            first, second = found[0][0], found[1][0]
            raise UserError(
                f"{readable(text)} is taken for a place of images by {first} and by {second}; switch one plugin off: "
                f"RANKHUB_DISABLE={second.partition('/')[0]}"
            )
        return found[0] if found else None

    def open(self, source: str, place: str) -> ImagePlace:
        """A place, which is opened once; what was wrong with it then is said again.

        Raises:
            UserError: It cannot be read, or has no images.
        """
        found = self._opened.get((source, place))
        if found is None:
            try:
                found = self.sources[source].open(place)
            except UserError as error:
                found = error
            self._opened[source, place] = found
        if isinstance(found, UserError):
            raise found
        return found

    def images(self, text: str, *, named: bool, strict: bool = True) -> Sequence[NamedFile] | None:
        """The images that a path or an address stands for; None where it is no place's.

        Args:
            text: It.
            named: Whether ``text`` stands before the names of a whole place; one image is
                always called as it was typed.
            strict: Whether it is an error that the place has no such image; else it is one that cannot be read.

        Raises:
            UserError: The place cannot be opened, or has no image of that name.
        """
        found = self.split(text)
        if found is None:
            return None
        place, name = self.open(*found[:2]), found[2]
        if not name:
            return PlacedFiles(place, f"{text.rstrip('/')}/" if named else "")
        row = self.row(place, name)
        if row is None and not strict:
            return [NamedFile(text, f"{place.uri}/{name}")]
        if row is None:
            raise UserError(
                f"{readable(place.uri)} has no image {readable(name)}; it has {len(place.names):,}, such as "
                f"{readable(place.names[0])}"
            )
        return [NamedFile(text, f"{place.uri}/{name}", place, row)]

    def row(self, place: ImagePlace, name: str) -> int | None:
        """Which image of a place has a name; None where none has."""
        if id(place) not in self._rows:
            self._rows[id(place)] = _ByName(place.names)
        return self._rows[id(place)].find(name)


class _ByName:
    """Finds names by their hashes: a million take 16 MB."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        hashes = np.fromiter((hash(names[row]) for row in range(len(names))), np.int64, len(names))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def find(self, name: str) -> int | None:
        """The position of a name; None where it is not there."""
        own = np.int64(hash(name))
        start, stop = (int(np.searchsorted(self._hashes, own, side)) for side in ("left", "right"))
        rows = self._order[start:stop].tolist()
        return next((row for row in rows if self.names[row] == name), None)


def is_address(text: str) -> bool:
    """Whether a text is no path: it has a scheme, such as ``s3://``."""
    return "://" in text and not os.path.lexists(text)


def located(path: str) -> str:
    """A path as an absolute one; an address as it is."""
    return path if is_address(path) else os.path.abspath(os.path.expanduser(path))


def shown(name: str) -> str:
    """Where an image is, for a person: relative to the current directory, but for an address."""
    return readable(name if is_address(name) else os.path.relpath(name))
