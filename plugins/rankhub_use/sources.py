"""Which images a verb is asked for: files, folders, lists of names, names on standard input; in one order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import readable
from rankhub_listing.formats import learn_formats
from rankhub_listing.scan import find

if TYPE_CHECKING:
    from rankhub_use.places import ImagePlace

STDIN = "-"
"""The source that stands for names on standard input."""

_BOM, _CHUNK = b"\xef\xbb\xbf", 1 << 16


@dataclass(frozen=True, slots=True)
class NamedFile:
    """One file that is to be read as an image.

    Attributes:
        name: What it is called in tables: below the only folder its path in it, else the path as it was given.
        path: Where it is.
        place: What reads it, where it is no file of its own.
        row: Which of the place's images it is.
    """

    name: str
    path: str
    place: ImagePlace | None = None
    row: int = -1


def sources(
    paths: Sequence[str | os.PathLike[str]] = (),
    from_file: str | os.PathLike[str] | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[NamedFile]:
    """The files that sources stand for: first ``paths`` in their order, then those that the list names in its order.

    A folder stands for all images below it, sorted by their path in it; hidden files, and files that are no images,
    are passed over as by ``image_folder``. A file stands for itself, whatever its ending. ``-`` stands for the names
    on standard input. A list has one name a line, or names with NUL between them (``find -print0``); each is a file or
    a folder, relative to the current directory. Nothing is read of the files: one that is not there or is no image is
    found out by what reads it, but for one in ``paths``.

    Args:
        paths: Files, folders, ``-``.
        from_file: A list of names.
        stdin: What ``-`` reads.

    Raises:
        UserError: One of ``paths`` is not there, the list cannot be read, or there is no source at all.
    """
    learn_formats()
    given = [os.fspath(path) for path in paths]
    if not given and from_file is None:
        raise UserError("name images: files, folders, --from LIST, or - for names on standard input")
    for path in given:
        if path != STDIN and not os.path.lexists(_expanded(path)):
            hint = "; changes to the recipe go behind --set" if "=" in path else ""
            raise UserError(f"there is no file or folder {readable(path)}{hint}")
    if len(given) == 1 and from_file is None and os.path.isdir(_expanded(given[0])):
        return _below(given[0], named=False)
    return _all(given, from_file, stdin)


def _all(given: Sequence[str], from_file: str | os.PathLike[str] | None, stdin: BinaryIO | None) -> Iterator[NamedFile]:
    for path in given:
        if path != STDIN:
            yield from _one(path)
        elif stdin is None:
            raise UserError("there is no standard input to read names from")
        else:
            yield from _each(_names(stdin))
    if from_file is not None:
        try:
            with Path(os.path.expanduser(from_file)).open("rb") as file:
                yield from _each(_names(file))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise UserError(f"--from {readable(os.fspath(from_file))} cannot be read: {why}") from None


def _each(names: Iterable[str]) -> Iterator[NamedFile]:
    for name in names:
        yield from _one(name)


def _one(path: str) -> Iterator[NamedFile]:
    if os.path.isdir(_expanded(path)):
        yield from _below(path, named=True)
    else:
        yield NamedFile(path, _expanded(path))


def _below(folder: str, *, named: bool) -> Iterator[NamedFile]:
    """The images below a folder, and what is there of them that cannot be read."""
    root = _expanded(folder)
    try:
        found = find(Path(root))
    except OSError as error:
        raise UserError(f"{readable(folder)} cannot be listed: {(error.strerror or str(error)).lower()}") from None
    paths = sorted([*found.paths, *(one.path for one in found.faults)])
    del found
    for path in paths:
        yield NamedFile(os.path.join(folder, path) if named else path, os.path.join(root, path))


def _names(file: BinaryIO) -> Iterator[str]:
    """The names in a list, whatever bytes they are of: a line each, or what stands before each NUL if it has any."""
    rest = file.read(_CHUNK).removeprefix(_BOM)
    separator = b"\0" if b"\0" in rest else b"\n"  # with NULs a name may hold a line's end
    while rest:
        *whole, rest = rest.split(separator)
        more = file.read(_CHUNK)
        if not more:
            whole, rest = [*whole, rest], b""
        rest += more
        names = whole if separator == b"\0" else [name.removesuffix(b"\r") for name in whole]
        yield from (os.fsdecode(name) for name in names if name.strip(b"\r\n"))


def _expanded(path: str) -> str:
    return os.path.expanduser(path)


def files_for(paths: Sequence[str], from_file: Path | None) -> list[NamedFile]:
    """All that :func:`sources` gives, for a verb.

    Raises:
        UserError: There is none.
    """
    found = list(sources(paths, from_file, getattr(sys.stdin, "buffer", None)))
    if not found:
        asked = [*paths, *([f"--from {from_file}"] if from_file is not None else [])]
        raise UserError(f"there is no image in {readable(', '.join(asked))}")
    return found
