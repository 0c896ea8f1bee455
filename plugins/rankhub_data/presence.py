"""Whether the files of a data set are where its options say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def absent(root: Path, title: str, obtained: str, expected: Sequence[str]) -> str | None:
    """Which file or folder of a published set is not there, where it was looked for, and who hands the set out.

    Args:
        root: The folder of the data set; absolute.
        title: The data set's name in sentences.
        obtained: Who hands it out, as a part of a sentence.
        expected: Files and folders below the root.

    Returns:
        None if all are there.
    """
    if not root.is_dir():
        return f"{title} is not at {root}, which is no folder; set `root` to where it is ({obtained})"
    gone = [name for name in expected if not (root / name).exists()]
    if not gone:
        return None
    return f"{title} is not in {root} (no {', '.join(gone)}); set `root` to where it is ({obtained})"


def absent_own(root: Path, files: Sequence[str], remedy: str) -> str | None:
    """That the folder of one's own images, or a file in it, is not there; None if all are.

    Args:
        root: The folder; absolute.
        files: Files below it, or absolute.
        remedy: What to do without one, as the end of a sentence.
    """
    if not root.is_dir():
        return f"there is no folder {root}; set `root` to the folder that holds your images"
    gone = next((root / name for name in files if not (root / name).is_file()), None)
    return None if gone is None else f"there is no file {gone}; {remedy}"
