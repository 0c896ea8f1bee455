"""Unlabeled photos without those that are references of the scored images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from comparison.links import link
from PIL import Image

SIDE = 24
SAME = 0.9
"""Correlation of two thumbnails from which on two photos are taken for one; different photos stay far below."""
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp"}


def images_in(folder: Path) -> list[Path]:
    """The image files directly in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)


def thumbnail(path: Path) -> npt.NDArray[np.float64]:
    """[SIDE * SIDE] brightness of the middle square, of mean 0 and length 1."""
    with Image.open(path) as image:
        grey = image.convert("L")
        side = min(grey.size)
        left, top = (grey.width - side) // 2, (grey.height - side) // 2
        square = grey.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    values = np.asarray(square, dtype=np.float64).ravel()
    values -= values.mean()
    length = float(np.linalg.norm(values))
    return values / length if length else values


def without_references(photos: Path, references: Path, place: Path) -> tuple[int, list[tuple[str, str]]]:
    """Link the photos that are no reference into ``place``, and remove links to others from it.

    Returns:
        How many there are, and (photo, reference) of each that was left out.

    Raises:
        ValueError: There is no reference image, or no photo that is none of them; one sentence.
    """
    known = {path.name: thumbnail(path) for path in images_in(references)}
    if not known:
        raise ValueError(f"{references.absolute()} holds no image; expected the originals of the scored images")
    kept: dict[str, Path] = {}
    left_out = []
    for photo in images_in(photos):
        likeness = {name: float(thumbnail(photo) @ other) for name, other in known.items()}
        nearest = max(likeness, key=lambda name: likeness[name])
        if likeness[nearest] > SAME:
            left_out.append((photo.name, nearest))
            continue
        kept[photo.name] = photo.absolute()
    if not kept:
        which = f"only references ({len(left_out)} of them)" if left_out else "no image"
        raise ValueError(f"{photos.absolute()} holds {which}; expected photos without scores")
    link(kept, place)
    return len(kept), left_out
