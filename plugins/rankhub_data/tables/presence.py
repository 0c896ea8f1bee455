"""Whether the files of a data set are where its options say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def absent(root: Path, title: str, obtained: str, expected: Sequence[str]) -> str | None:
    """Which file or folder is not there, where it was looked for, and who hands the data set out; None if all are.

    Args:
        root: The folder of the data set; absolute.
        title: The data set's name in sentences.
        obtained: Who hands it out, as a part of a sentence.
        expected: Files and folders below the root.
    """
    if not root.is_dir():
        return f"{title} is not at {root}, which is no folder; set `root` to where it is ({obtained})"
    gone = [name for name in expected if not (root / name).exists()]
    if not gone:
        return None
    return f"{title} is not in {root} (no {', '.join(gone)}); set `root` to where it is ({obtained})"
