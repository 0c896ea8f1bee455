"""Which images a verb is asked for: files, folders, places, lists of names, names on standard input; in one order."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import readable
from rankhub_listing.formats import learn_formats
from rankhub_listing.scan import find
from rankhub_use.named import Joined, NamedFile, PlacedFiles
from rankhub_use.placed import Places, is_address, located

STDIN = "-"
"""The source that stands for names on standard input."""

_BOM, _CHUNK = b"\xef\xbb\xbf", 1 << 16


def sources(
    paths: Sequence[str | os.PathLike[str]] = (),
    from_file: str | os.PathLike[str] | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[NamedFile]:
    """The files that sources stand for: first ``paths`` in their order, then those that the list names in its order.

    A folder stands for all images below it, sorted by their path in it; hidden files, and files that are no images,
    are passed over as by ``image_folder``. A place that an ``image_source`` knows, such as a Lance table, stands for
    its images in its order, and a name below it for one of them. A file stands for itself, whatever its ending. ``-``
    stands for the names on standard input. A list has one name a line, or names with NUL between them (``find
    -print0``); each is one of these, relative to the current directory. Nothing is read of the files: one that is not
    there or is no image is found out by what reads it, but for one in ``paths``.

    Args:
        paths: Files, folders, places, ``-``.
        from_file: A list of names.
        stdin: What ``-`` reads.

    Raises:
        UserError: One of ``paths`` is not there, a place cannot be opened, the list cannot be read, or there is no
            source at all.
    """
    return chain.from_iterable(_parts(paths, from_file, stdin))


def _parts(
    paths: Sequence[str | os.PathLike[str]], from_file: str | os.PathLike[str] | None, stdin: BinaryIO | None
) -> Iterator[Iterable[NamedFile]]:
    """The same, each source's together."""
    learn_formats()
    given, places = [os.fspath(path) for path in paths], Places()
    if not given and from_file is None:
        raise UserError("name images: files, folders, tables, --from LIST, or - for names on standard input")
    for path in given:
        if path != STDIN and places.split(path) is None:
            _check_there(path, places)
    alone = len(given) == 1 and from_file is None and given != [STDIN]
    return iter([_source(given[0], places, named=False)]) if alone else _all(given, from_file, stdin, places)


def _check_there(path: str, places: Places) -> None:
    """Refuse what is neither a file or a folder nor any place."""
    if os.path.lexists(_expanded(path)):
        return
    if is_address(path):
        known = ", ".join(places.sources) or "none"
        raise UserError(
            f"no plugin reads images at {readable(path)}; the address of a table ends in its name, such as "
            f"s3://BUCKET/photos.lance (image sources that are installed: {known})"
        )
    hint = "; changes to the recipe go behind --set" if "=" in path else ""
    raise UserError(f"there is no file or folder {readable(path)}{hint}")


def _all(
    given: Sequence[str], from_file: str | os.PathLike[str] | None, stdin: BinaryIO | None, places: Places
) -> Iterator[Iterable[NamedFile]]:
    for path in given:
        if path != STDIN:
            yield _source(path, places)
        elif stdin is None:
            raise UserError("there is no standard input to read names from")
        else:
            yield from _each(_names(stdin), places)
    if from_file is not None:
        try:
            with Path(os.path.expanduser(from_file)).open("rb") as file:
                yield from _each(_names(file), places)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise UserError(f"--from {readable(os.fspath(from_file))} cannot be read: {why}") from None


def _each(names: Iterable[str], places: Places) -> Iterator[Iterable[NamedFile]]:
    for name in names:
        yield _source(name, places, strict=False)


def _source(path: str, places: Places, *, named: bool = True, strict: bool = True) -> Iterable[NamedFile]:
    """The images of one source.

    Args:
        path: It.
        places: What is no file.
        named: Whether they are called by the path that was given, and not by that in the only source.
        strict: Whether an image that a place does not have is a mistake, and not left to what reads it.
    """
    if (found := places.images(path, named=named, strict=strict)) is not None:
        return found
    return _below(path, named=named) if os.path.isdir(_expanded(path)) else [NamedFile(path, _expanded(path))]


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


def files_for(paths: Sequence[str], from_file: Path | None) -> Sequence[NamedFile]:
    """All that :func:`sources` gives, for a verb; images of whole places are made when they are asked for.

    Raises:
        UserError: There is none.
    """
    parts: list[PlacedFiles | list[NamedFile]] = []
    for part in _parts(paths, from_file, getattr(sys.stdin, "buffer", None)):
        if isinstance(part, PlacedFiles):
            parts.append(part)
        elif parts and isinstance(parts[-1], list):
            parts[-1].extend(part)
        else:
            parts.append(list(part))
    found = Joined(parts)
    if not len(found):
        asked = [*paths, *([f"--from {from_file}"] if from_file is not None else [])]
        raise UserError(f"there is no image in {readable(', '.join(asked))}")
    return found.parts[0] if len(found.parts) == 1 else found


def located_files(files: Sequence[NamedFile]) -> Sequence[NamedFile]:
    """The same images, each once, called by where they are: names that hold from any directory."""
    parts: list[Sequence[NamedFile]] = []
    seen, whole, partly = set[str](), set[str](), set[str]()
    for part in files.parts if isinstance(files, Joined) else [files]:
        if isinstance(part, PlacedFiles) and part.whole and part.place.uri not in partly:
            if part.place.uri not in whole:
                parts.append(part.located())
            whole.add(part.place.uri)
            continue
        own = []
        for file in part:
            name = file.path if file.place is not None else located(file.path)
            if name in seen or (file.place is not None and file.place.uri in whole):
                continue
            seen.add(name)
            if file.place is not None:
                partly.add(file.place.uri)
            own.append(NamedFile(name, file.path, file.place, file.row))
        parts.append(own)
    joined = Joined(parts)
    return joined.parts[0] if len(joined.parts) == 1 else joined
