"""Where an output goes: whether it may."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rankhub import UserError
from rankhub.interfaces.files import readable, unwritable

if TYPE_CHECKING:
    from rankhub_use.named import NamedFile

SCORES = "scores.jsonl"
"""In the folder of an audit: what each image and its versions got, from which all else is made."""

TABLES = ("kinds.csv", "levels.csv", "invariance.csv", "audit.json", "audit.md", "audit.png")
"""That which is made of it."""


def checked(
    option: str,
    out: Path | None,
    *,
    force: bool,
    resume: bool = False,
    folder: Iterable[str] | None = None,
    endings: Sequence[str] = (),
) -> None:
    """See that an output can be written, before anything is computed.

    Args:
        option: What it is called in sentences.
        out: A file or folder; None = there is none.
        force: Whether it may take the place of what is there.
        resume: Whether what is there of it may be gone on with.
        folder: Of a folder: the names of all that is written into it; it may hold nothing else. None: it is a file.
        endings: Of which a file's name must have one, such as ``.csv``; none = any.

    Raises:
        UserError: It cannot.
    """
    if force and resume:
        raise UserError("--resume goes on with what is there, --force begins anew; leave one out")
    if out is None:
        return
    if endings and out.suffix.lower() not in endings:
        raise UserError(f"{option} {out} has to end in {' or '.join(endings)}")
    if folder is not None:
        return _check_folder(option, out, set(folder))
    if out.exists() and not out.is_file():
        raise UserError(f"{option} {out} is a folder, or no plain file; name a file")
    if out.exists() and not force:
        raise UserError(f"{option} {out} is there already; name another file, or --force to replace it")
    if not out.absolute().parent.is_dir():
        raise UserError(f"{option} {out}: there is no folder {out.absolute().parent}; make it first")


def _check_folder(option: str, out: Path, own: set[str]) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{option} {out} is a file; name a folder")
    for path in sorted(out.iterdir()) if out.is_dir() else ():
        if path.name.removesuffix(".partial") not in own and not path.name.startswith("."):
            raise UserError(f"{option} {out} holds other things, such as {readable(path.name)}; name another folder")


def apart(option: str, folder: Path, sources: Sequence[str], files: Iterable[NamedFile]) -> None:
    """See that what is written into a folder does not come among the images that are read.

    Raises:
        UserError: It is one of ``sources``, or one of ``files`` lies in it, or it lies in a place that they come from.
    """
    target, read = os.path.realpath(folder), {os.path.realpath(os.path.expanduser(path)) for path in sources}
    folders, places = set[str](), set[str]()
    for file in files:
        if file.place is None:
            folders.add(os.path.dirname(file.path))
        else:
            places.add(file.place.uri)
    inside = any(Path(target).is_relative_to(os.path.realpath(place)) for place in places if "://" not in place)
    if inside or target in read | {os.path.realpath(path) for path in folders}:
        raise UserError(f"{option} {folder} holds the images themselves; name another folder")


@contextmanager
def made(option: str, folder: Path) -> Iterator[None]:
    """A folder to write into, made with all above it; if nothing comes of it, what was made goes again.

    Raises:
        UserError: It cannot be made.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"{option} {folder}", error, "name a folder that can be made") from error
    try:
        yield
    except BaseException:
        for path in new:
            with suppress(OSError):  # it is not empty
                path.rmdir()
        raise
