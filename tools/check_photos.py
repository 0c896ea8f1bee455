"""Lists the photos of a folder that are none of some reference images, so that none of these is learned from.

    python tools/check_photos.py PHOTOS REFERENCES --out photos.csv
    rankhub study quality data.pristine.root=PHOTOS data.pristine.listed=photos.csv ...

Small copies of the middle squares are correlated: copies in another size, format or compression are found, crops and
mirrored copies are not. What is left out is printed with the reference that it is.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

SIDE = 24
SAME = 0.9
"""Correlation from which on two photos are taken for one; different photos stay far below."""
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp"}


def images_in(folder: Path) -> list[Path]:
    """The image files directly in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)


def thumbnail(path: Path) -> npt.NDArray[np.float64]:
    """[SIDE * SIDE] brightness of the middle square, of mean 0 and length 1."""
    with Image.open(path) as image:
        square = ImageOps.fit(image.convert("L"), (SIDE, SIDE), Image.Resampling.LANCZOS)
    values = np.asarray(square, dtype=np.float64).ravel()
    values -= values.mean()
    return values / (float(np.linalg.norm(values)) or 1.0)


def same_as(photos: Path, references: Path) -> dict[str, str]:
    """Photo -> the reference that it is, or nothing."""
    known = {path.name: thumbnail(path) for path in images_in(references)}
    found = {}
    for photo in images_in(photos):
        likeness = {name: float(thumbnail(photo) @ other) for name, other in known.items()}
        nearest = max(likeness, key=lambda name: likeness[name], default="")
        found[photo.name] = nearest if nearest and likeness[nearest] > SAME else ""
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("references", type=Path, help="folder of images that no photo may be")
    parser.add_argument("--out", type=Path, default=Path("photos.csv"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    for folder in (options.photos, options.references):
        if not folder.is_dir() or not images_in(folder):
            parser.error(f"{folder.absolute()} is no folder of images")
    found = same_as(options.photos, options.references)
    with options.out.open("w", newline="") as file:
        csv.writer(file).writerows([("path",), *((name,) for name, reference in found.items() if not reference)])
    left_out = [f"{name} ({reference})" for name, reference in found.items() if reference]
    print(f"{len(found) - len(left_out)} photos; left out since they are references: {', '.join(left_out) or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
