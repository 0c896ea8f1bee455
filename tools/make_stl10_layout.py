"""Write any tree of class folders as STL-10's binary files, so that the loader and recipe of STL-10 can use it.

    python tools/make_stl10_layout.py SOURCE DESTINATION

SOURCE holds ``train/<class>/``, ``test/<class>/`` and ``unlabeled/`` (nested or flat); the last two may be left
out. DESTINATION gets ``stl10_binary/`` with ``train_X.bin``, ``train_y.bin``, ... Each image is scaled until its
shorter side has 96 pixels (bicubic, antialiased), and its centre is cut out. Labels count from 1 in the order of
the class names. ``fold_indices.txt`` has ten folds, each a fifth of every class drawn at random.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rankhub_data.decode import UndecodableError, decode
from rankhub_data.formats import learn_formats
from rankhub_data.scan import Fault, scan
from rankhub_data.stl10 import FOLDER, SIDE

FOLDS = 10
FOLD_SHARE = 0.2
"""STL-10's folds have 1,000 of 5,000 images."""
_AT_ONCE = 256


class LayoutError(Exception):
    """The source cannot be written in this layout; one sentence."""


def square(data: bytes, ending: str) -> npt.NDArray[np.uint8]:
    """An image file's centre as STL-10 stores it.

    Returns:
        [3, 96, 96] uint8, each plane column by column.

    Raises:
        UndecodableError: The file gives no image.
    """
    pixels, _, _ = decode(data, ending, resize=SIDE)
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    short = min(image.size)
    if short < SIDE:
        larger = (round(image.width * SIDE / short), round(image.height * SIDE / short))
        image = image.resize(larger, Image.Resampling.BICUBIC)
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    cut = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))
    return np.ascontiguousarray(cut.transpose(2, 1, 0))


def squares(folder: Path, paths: Sequence[str], faults: list[Fault]) -> Iterator[tuple[str, bytes]]:
    """Path and stored bytes of every image that can be read, in order; the others are added to ``faults``."""

    def read(path: str) -> bytes | Fault:
        try:
            return square((folder / path).read_bytes(), os.path.splitext(path)[1].lower()).tobytes()
        except UndecodableError as error:
            return error.at(path)
        except OSError as error:
            return Fault(path, "unreadable", str(error))

    rest = iter(paths)
    with ThreadPoolExecutor() as pool:
        while some := list(islice(rest, _AT_ONCE)):
            for path, result in zip(some, pool.map(read, some), strict=True):
                if isinstance(result, Fault):
                    faults.append(result)
                else:
                    yield path, result


def images_of(folder: Path, faults: list[Fault]) -> list[str]:
    """The images under ``folder``, relative to it.

    Raises:
        LayoutError: There is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise LayoutError(f"there is no folder {folder}")
    listing = scan(folder)
    faults += listing.faults
    if not listing.files:
        raise LayoutError(f"there is no image under {folder}")
    return [file.path for file in listing.files]


def class_of(folder: Path, path: str) -> str:
    """The class of an image: the first folder on its path.

    Raises:
        LayoutError: The image lies in no class folder.
    """
    name, slash, _ = path.partition("/")
    if not slash:
        raise LayoutError(f"{folder / path} lies in no class folder; the class is the first folder below {folder}")
    return name


def write_labelled(
    source: Path, target: Path, split: str, classes: Sequence[str] | None, faults: list[Fault]
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Write ``SPLIT_X.bin`` and ``SPLIT_y.bin``.

    Args:
        source: Folder with the split's folder.
        target: Folder of the binary files.
        split: ``train`` or ``test``.
        classes: The classes there may be, in order; None = those that are found.
        faults: Images that cannot be read are added.

    Returns:
        The classes, and the labels from 1.

    Raises:
        LayoutError: The split has a class that ``classes`` does not, or more than a byte can count.
    """
    folder = source / split
    paths = images_of(folder, faults)
    found = sorted({class_of(folder, path) for path in paths})
    names = list(classes) if classes is not None else found
    strange = sorted(set(found) - set(names))
    if strange:
        raise LayoutError(f"{folder / strange[0]} is a class that {source / 'train'} does not have")
    if len(names) > 255:
        raise LayoutError(f"{folder} has {len(names)} classes; a label is one byte, so 255 are the most")
    labels: list[int] = []
    with open(target / f"{split}_X.bin", "wb") as file:
        for path, content in squares(folder, paths, faults):
            file.write(content)
            labels.append(names.index(class_of(folder, path)) + 1)
    np.array(labels, dtype=np.uint8).tofile(target / f"{split}_y.bin")
    return names, np.array(labels, dtype=np.int64)


def folds(labels: npt.NDArray[np.int64], seed: int) -> list[npt.NDArray[np.int64]]:
    """Ten draws of a fifth of each class (at least one image), as indices from 0, ascending."""
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(FOLDS):
        rows = []
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            rows.append(generator.permutation(members)[: max(1, round(FOLD_SHARE * len(members)))])
        drawn.append(np.sort(np.concatenate(rows)))
    return drawn


def write_layout(source: Path, destination: Path, seed: int) -> tuple[dict[str, int], list[Fault]]:
    """Write ``DESTINATION/stl10_binary``; it is there whole, or not at all.

    Returns:
        Split -> number of images, and the images that could not be read.

    Raises:
        LayoutError: The source has no images in class folders, or the destination is taken.
    """
    place = destination / FOLDER
    if place.exists():
        raise LayoutError(f"{place} exists already; name another destination or remove it")
    learn_formats()
    beside = destination / f".{FOLDER}.writing"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    faults: list[Fault] = []
    counts: dict[str, int] = {}
    try:
        classes, labels = write_labelled(source, beside, "train", None, faults)
        counts["train"] = len(labels)
        if (source / "test").is_dir():
            counts["test"] = len(write_labelled(source, beside, "test", classes, faults)[1])
        if (source / "unlabeled").is_dir():
            paths = images_of(source / "unlabeled", faults)
            with open(beside / "unlabeled_X.bin", "wb") as file:
                counts["unlabeled"] = sum(
                    file.write(content) > 0 for _, content in squares(source / "unlabeled", paths, faults)
                )
        empty = [split for split, count in counts.items() if not count]
        if empty:
            raise LayoutError(f"none of the images in {source / empty[0]} can be read, such as {faults[-1].path}")
        (beside / "class_names.txt").write_text("".join(f"{name}\n" for name in classes), "utf-8")
        lines = [" ".join(map(str, fold.tolist())) for fold in folds(labels, seed)]
        (beside / "fold_indices.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")
        beside.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return counts, faults


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="See the top of this file.")
    parser.add_argument("source", type=Path, help="folder with train/<class>/, test/<class>/ and unlabeled/")
    parser.add_argument("destination", type=Path, help=f"folder that gets {FOLDER}/")
    parser.add_argument("--seed", type=int, default=0, help="of the folds (default: 0)")
    options = parser.parse_args(arguments)
    try:
        counts, faults = write_layout(options.source.absolute(), options.destination.absolute(), options.seed)
    except (LayoutError, OSError) as error:
        print(f"make_stl10_layout: {error}", file=sys.stderr)
        return 2
    for fault in faults:
        print(f"skipped {fault.path}: {fault.reason}", file=sys.stderr)
    listed = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    print(f"wrote {listed} images to {options.destination.absolute() / FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
