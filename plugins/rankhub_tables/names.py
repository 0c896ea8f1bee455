r"""Paths as people and their tools write them: ``./a.png``, ``b\a.png``, absolute, accents in one sign or in two."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterable
from functools import cached_property


def composed(text: str) -> str:
    """A text in one form of Unicode: ``ä`` may be one sign or two, as Macs write it, and looks the same."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spelled(path: str, root: str = "") -> str:
    r"""A path below ``root`` in one spelling: ``/`` for ``\``, nothing to go round, accents composed.

    Args:
        path: As it is written; absolute, or relative to the root.
        root: The folder; absolute.
    """
    plain = posixpath.normpath(path.replace("\\", "/"))
    if root:
        plain = plain.removeprefix(root.replace("\\", "/").rstrip("/") + "/")
    return composed(plain)


def folded(name: str) -> str:
    """A name whose case and whose way to write accents no longer matter."""
    return composed(composed(name).casefold())


class PathFinder:
    """Finds the one path that is meant.

    Args:
        paths: As the files are named; relative to the root.
        root: The folder; absolute.
    """

    def __init__(self, paths: Iterable[str], root: str) -> None:
        self._paths = frozenset(paths)
        self._root = root

    def find(self, path: str) -> str | None:
        """The path as its file is named: written so, else spelled so, else in another case.

        Returns:
            None where there is none, or several could be meant.
        """
        if path in self._paths:
            return path
        plain = spelled(path, self._root)
        if plain in self._paths:
            return plain
        for known, key in ((self._spelled, plain), (self._folded, folded(plain))):
            if key in known:
                return known[key] or None
        return None

    @cached_property
    def _spelled(self) -> dict[str, str]:
        return self._once((spelled(path), path) for path in self._paths)

    @cached_property
    def _folded(self) -> dict[str, str]:
        return self._once((folded(spelled(path)), path) for path in self._paths)

    @staticmethod
    def _once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Key -> path; empty for a key that two paths share."""
        found: dict[str, str] = {}
        for key, path in pairs:
            found[key] = "" if key in found else path
        return found
