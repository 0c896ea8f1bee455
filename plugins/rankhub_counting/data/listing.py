"""Which images a set has, and which annotation goes with each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_data.opened import Listed
from rankhub_tables.draws import Bools
from rankhub_tables.wording import some


@dataclass(frozen=True, slots=True)
class Marked:
    """One image of a set.

    Attributes:
        path: Of the image, relative to the set's root.
        annotation: The file with its points, relative to the root, or where in a file they stand; empty = there are
            none, so that the image can only serve without a label.
        held_out: Whether the official split holds it out; None = it has none, or leaves the image aside.
        fold: The official fold, if there are such.
    """

    path: str
    annotation: str
    held_out: bool | None = None
    fold: int | None = None


def annotated(rows: Sequence[Marked]) -> Bools:
    """[n] whether there are points of each image."""
    return np.array([bool(row.annotation) for row in rows], dtype=bool)


def paired(
    root: Path, images: tuple[str, str], annotations: tuple[str, str], released: int, held_out: bool | None = None
) -> Listed[Marked]:
    r"""Images and annotations whose names have the same key, in the order of the numbers in the keys.

    Args:
        root: Of the set.
        images: A folder below it, and a pattern of names with the key as its group (``(img_\d+)\.jpg``); upper and
            lower case are the same.
        annotations: Likewise.
        released: How many images the folder has as released; another number is said.
        held_out: Whether the official split holds them out; None = it has none, or leaves them aside.

    Raises:
        UserError: A folder cannot be listed or is empty, an image has no annotation or an annotation no image.
    """
    found, others = files_in(root, *images)
    marked, _ = files_in(root, *annotations)
    if not found:
        raise UserError(f"there is no image in {root / images[0]}; unpack the set anew")
    sides = (("images", found, images[0]), ("annotations", marked, annotations[0]))
    for (what, these, here), (other, those, there) in (sides, sides[::-1]):
        if without := [path for key, path in these.items() if key not in those]:
            raise UserError(
                f"{len(without):,} of the {len(these):,} {what} in {root / here} have no {other[:-1]} in "
                f"{root / there}: {some(without)}; unpack the set anew"
            )
    notes = []
    if others := [name for name in others if name.lower().endswith((".jpg", ".jpeg", ".png"))]:
        notes.append(f"images that are not part of the release are left out: {len(others):,} ({some(others)})")
    if len(found) != released:
        notes.append(f"{len(found):,} images in {images[0]}, where the release has {released:,}")
    return Listed([Marked(path, marked[key], held_out) for key, path in found.items()], images[0], notes)


def joined(source: str, folders: Iterable[Listed[Marked]]) -> Listed[Marked]:
    """The images of several folders, and what is to be said of them."""
    each = list(folders)
    return Listed([row for one in each for row in one.rows], source, [note for one in each for note in one.notes])


def files_in(root: Path, folder: str, pattern: str) -> tuple[dict[str, str], list[str]]:
    """The files of a folder whose names match a pattern, and the names that do not.

    Args:
        root: Of the set.
        folder: Below it; "." is the root itself.
        pattern: A regular expression with one group, the key; for whole names, whatever their case.

    Returns:
        Key, in lower case -> path relative to the root, ordered by the numbers in the keys; and the other names.

    Raises:
        UserError: The folder cannot be listed, or two files have one key.
    """
    try:
        names = sorted(os.listdir(root / folder))
    except OSError as error:
        raise UserError(f"the folder {root / folder} cannot be listed: {error.strerror}") from None
    found: dict[str, str] = {}
    others = []
    for name in names:
        match = re.fullmatch(pattern, name, re.IGNORECASE)
        if match is None:
            others.append(name)
            continue
        key, path = match[1].lower(), os.path.normpath(f"{folder}/{name}").replace(os.sep, "/")
        if key in found:
            raise UserError(f"{root} has {found[key]} and {path} for one image; keep one of them")
        found[key] = path
    return dict(sorted(found.items(), key=lambda item: numbers_in_order(item[0]))), others


def numbers_in_order(name: str) -> list[tuple[int, str]]:
    """A key that sorts ``img_2`` before ``img_10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
