"""Finds the image of the pool that people mean by a path."""

from __future__ import annotations

import posixpath
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property

from rankhub_tables import names as tables
from rankhub_tables.names import spelled

_AROUND = 40
"""Names before and after a wrong one, in order of their beginnings and of their ends, among which the nearest is
sought: all of a large pool would take seconds for each."""


class UnknownImageError(ValueError):
    """A path that names no image of the pool, or several; the message ends the sentence "PATH: ..."."""


class PoolPaths:
    r"""The images of a pool by their paths, as people and their tools write them.

    Taken are the path itself; in another spelling or case (see :mod:`rankhub_tables.names`); and the file's name alone
    where one image has it.

    Args:
        ids: Path -> image.
        root: The folder of images, absolute.
    """

    def __init__(self, ids: Mapping[str, int], root: str) -> None:
        self._ids = ids
        self._root = root
        self._known = tables.PathFinder(ids, root)

    def id(self, path: str) -> int:
        """The image that is meant.

        Raises:
            UnknownImageError: None or several could be.
        """
        if (found := self._known.find(path)) is not None:
            return self._ids[found]
        same = self._by_name.get(spelled(path, self._root), ())
        if len(same) == 1:
            return self._ids[same[0]]
        if same:
            raise UnknownImageError(
                f"{len(same)} images are called so, such as {same[0]} and {same[1]}; add the folder"
            )
        raise UnknownImageError("no image of the pool")

    def hint(self, path: str) -> str:
        """``"; did you mean b.jpg?"`` for a path that is unknown, or nothing where no name is near."""
        plain = spelled(path, self._root)
        if plain in self._by_name:
            return ""  # too many are near
        near = _nearest(plain, self._around(plain)) or _nearest(
            posixpath.basename(plain), set(map(posixpath.basename, self._around(plain)))
        )
        if near is None:
            return ""
        near = near if near in self._ids else self._by_name[near][0]
        return f"; did you mean {near}?"

    def _around(self, path: str) -> Iterable[str]:
        folded = path.casefold()
        for names, word in ((self._by_beginning, folded), (self._by_end, folded[::-1])):
            index = bisect(names, (word, ""))
            yield from (name for _, name in names[max(0, index - _AROUND) : index + _AROUND])

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        found = defaultdict(list)
        for path in self._ids:
            found[posixpath.basename(spelled(path))].append(path)
        return found

    @cached_property
    def _by_beginning(self) -> list[tuple[str, str]]:
        return sorted((path.casefold(), path) for path in self._ids)

    @cached_property
    def _by_end(self) -> list[tuple[str, str]]:
        return sorted((path.casefold()[::-1], path) for path in self._ids)


def _nearest(name: str, names: Iterable[str]) -> str | None:
    """The one that looks most like ``name``, whatever its case; None if none is near."""
    folded = {each.lower(): each for each in names}
    found = get_close_matches(name.lower(), folded, n=1)
    return folded[found[0]] if found else None
