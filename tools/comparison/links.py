"""Folders of links to some of the files of another folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def link(wanted: Mapping[str, Path], place: Path) -> None:
    """Make ``place`` hold links to these files, and no other link.

    Args:
        wanted: Path of the link below ``place`` -> file.
        place: The folder, made if need be.
    """
    place.mkdir(parents=True, exist_ok=True)
    for there in [path for path in place.rglob("*") if path.is_symlink()]:
        if wanted.get(there.relative_to(place).as_posix()) != there.readlink():
            there.unlink()
    for name, target in wanted.items():
        if not (place / name).is_symlink():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).symlink_to(target)
