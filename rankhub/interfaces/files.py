"""Our own files: written whole or not at all, and read as the type that they must have."""

import csv
import errno
import io
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from rankhub.interfaces.errors import UserError

REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room and try again"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "name a place that you may write to"),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG), "name another file"),
    errno.EIO: "look after the disk, then try again",
}
"""Number of an error of the system -> what to do about it."""

LONGEST = 255
"""Bytes of a file's name."""


def unwritable(path: Path | str, error: Exception, remedy: str = "") -> UserError:
    """The sentence on a file that cannot be written, and what to do."""
    known = remedy or REMEDIES.get(getattr(error, "errno", None) or 0, "")
    why = getattr(error, "strerror", None) or str(error)
    return UserError(f"{path} cannot be written: {why}" + (f"; {known}" if known else ""))


@contextmanager
def whole(path: Path, *, make: bool = False) -> Iterator[Path]:
    """The name of a file beside ``path`` to write to, which takes its place at the end; ``make``: make its folder too.

    If the disk is full, or the place cannot be written to, nothing is left; whatever else is raised leaves the file
    beside as it is.

    Raises:
        UserError: It cannot be written.
    """
    beside = beside_of(path)
    try:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise unwritable(path, error) from error


def beside_of(path: Path) -> Path:
    """What ``path`` is called while it is written: ``NAME.partial``, or a short name where that would be too long."""
    name = f"{path.name}.partial"
    return path.with_name(name if len(os.fsencode(name)) <= LONGEST else f"{zlib.crc32(name.encode()):08x}.partial")


def readable(text: str) -> str:
    r"""A text as UTF-8 can hold it: bytes of a file's name that are no UTF-8 are written as ``\xe9``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def write_text(path: Path, text: str, *, make: bool = False) -> None:
    """Write a file in UTF-8 whole, see :func:`whole`, and through to the disk; line ends stay as they are."""
    with whole(path, make=make) as beside, beside.open("wb") as file:
        file.write(readable(text).encode())
        file.flush()
        os.fsync(file.fileno())


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; the columns are the keys in the order in which they first occur."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *([row.get(column, "") for column in columns] for row in rows)])
    return readable(text.getvalue())


def digest_of(file: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    import hashlib

    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_json(path: Path, shape: Any, remedy: str) -> Any:
    """The JSON of a small file of ours as the type that it must have, see :func:`typed`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; {remedy}") from None
    return typed(content, shape, path, remedy)


def typed(content: bytes | str, shape: Any, name: object, remedy: str) -> Any:
    """JSON as the type that it must have, a pydantic model or any other annotation.

    Raises:
        UserError: It is cut off or damaged, lacks something, or has what does not belong there; one sentence that
            begins with the ``name`` of what was read and ends with the ``remedy``.
    """
    from pydantic import ValidationError

    try:
        return _adapter(shape).validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{name} is damaged: {where + ': ' if where else ''}{first['msg']}; {remedy}") from None


@cache
def _adapter(shape: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(shape)
