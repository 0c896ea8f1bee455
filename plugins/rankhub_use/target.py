"""Where an output goes: whether it may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rankhub import UserError

SCORES = "scores.jsonl"
"""In the folder of an audit: what each image and its versions got, from which all else is made."""


def checked(
    option: str,
    out: Path | None,
    *,
    force: bool,
    resume: bool = False,
    folder: bool = False,
    endings: Sequence[str] = (),
) -> None:
    """See that an output can be written, before anything is computed.

    Args:
        option: What it is called in sentences.
        out: A file, or a ``folder``; None = there is none.
        force: Whether it may take the place of what is there.
        resume: Whether what is there of it may be gone on with.
        folder: Which of the two it is.
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
    if folder:
        if out.exists() and not out.is_dir():
            raise UserError(f"{option} {out} is a file; name a folder")
        return
    if out.exists() and not out.is_file():
        raise UserError(f"{option} {out} is a folder, or no plain file; name a file")
    if out.exists() and not force:
        raise UserError(f"{option} {out} is there already; name another file, or --force to replace it")
    if not out.absolute().parent.is_dir():
        raise UserError(f"{option} {out}: there is no folder {out.absolute().parent}; make it first")
