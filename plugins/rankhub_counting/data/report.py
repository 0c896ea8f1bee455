"""What to tell of a set of images with points that was opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankhub.interfaces.data import DataReport
from rankhub_counting.data.listing import Marked
from rankhub_counting.data.marks import Floats, Placed
from rankhub_counting.data.sides import Bools, Part, Sides
from rankhub_data.named import NamedImages, number_of_images
from rankhub_data.tables.split import Ints
from rankhub_data.wording import some


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set that was opened.

    Attributes:
        rows: n images that were decoded.
        images: The same, decoded.
        sides: How they are divided.
        labeled: [n] those to train on that keep their labels.
        served: Rows of the part, ascending.
        marks: The points of the images that are served; None = they are served without.
    """

    rows: Sequence[Marked]
    images: NamedImages
    sides: Sides
    labeled: Bools
    served: Ints
    marks: Sequence[Placed] | None

    @property
    def paths(self) -> list[str]:
        """Of the images that are served, relative to the root, as the files are named on the disk."""
        names = self.images.names
        return [names[row] for row in self.served.tolist()]

    @property
    def counts(self) -> Floats:
        """Number of points of each image that is served."""
        return np.array([len(mark.points) for mark in self.marks or ()], dtype=np.float64)


def report(title: str, unit: str, part: Part, opened: Opened, notes: Sequence[str]) -> DataReport:
    """Sentences and the table ``counts``.

    The table has a row for each image that is served, and with part ``train`` also for those to train on whose labels
    are not used; a count that is not used is left empty.

    Args:
        title: The data set's name.
        unit: What is counted.
        part: What is served.
        opened: What was opened.
        notes: Of the data set itself.
    """
    said = [*_notes(title, unit, part, opened), *notes, *opened.images.where_kept()]
    return DataReport(said, {"counts": list(_counts(part, opened))})


def refusal(opened: Opened) -> str:
    """The sentence on points that lie outside their images; there are some."""
    wrong = _outside(opened)
    total = sum(len(mark.outside) for mark, _ in wrong)
    places = [_place(opened, mark, number) for mark, number in wrong]
    swapped = sum(mark.swapped for mark, _ in wrong)
    advice = "mend them, or set `outside: drop` to leave them out"
    if swapped:
        advice = (
            f"in {number_of_images(swapped)} they fit with x and y exchanged: write x, the column, before y, the row"
        )
    return f"{_points(total)} more than a pixel outside the image: {some(places)}; {advice}"


def _counts(part: Part, opened: Opened) -> Iterator[dict[str, Any]]:
    names, folds = opened.images.names, opened.sides.folds
    count = {}
    if opened.marks is not None:
        count = {row: len(mark.points) for row, mark in zip(opened.served.tolist(), opened.marks, strict=True)}
    annotated = np.array([bool(row.annotation) for row in opened.rows], dtype=bool)
    rows = np.flatnonzero(opened.sides.train & annotated) if part == "train" else opened.served
    for row in rows.tolist():
        said: dict[str, Any] = {"path": names[row], "count": count.get(row, ""), "labeled": row in count}
        if folds is not None:
            said["fold"] = int(folds[row])
        yield said


def _notes(title: str, unit: str, part: Part, opened: Opened) -> Iterator[str]:
    images, served = opened.images, opened.served
    counts = opened.counts
    what = "" if opened.marks is None else f" with {int(counts.sum()):,} {unit}"
    yield f"{title}: {number_of_images(len(served))}{what} in {images.folder.root}, {images.size_range(served)}"
    if opened.marks is not None:
        yield f"{unit} in an image: from {counts.min():,.0f} to {counts.max():,.0f}, mean {counts.mean():,.4g}"
    if part != "all" or opened.sides.folds is not None:
        yield f"part {part}: {opened.sides.how}"
    trained = int(opened.sides.train.sum())
    if part in ("train", "unlabeled") and (kept := int(opened.labeled.sum())) < trained and kept:
        yield f"{kept:,} of {number_of_images(trained)} to train on keep their labels"
    shrunk = int((images.sizes[served] != images.source_sizes[served]).any(axis=1).sum())
    if shrunk:
        yield f"{number_of_images(shrunk)} shrunk by `max_side`, points moved along"
    yield from _moved(opened)
    different = len(np.unique(images.originals[served]))
    if different < len(served):
        yield f"{different:,} of {len(served):,} images differ; the others are copies: kept"


def _moved(opened: Opened) -> Iterator[str]:
    marks = opened.marks or ()
    if moved := sum(mark.moved for mark in marks):
        yield f"{_points(moved)} at most a pixel outside the image, moved to its border"
    if wrong := _outside(opened):
        places = [_place(opened, mark, number) for mark, number in wrong]
        total = sum(len(mark.outside) for mark, _ in wrong)
        yield f"{_points(total)} further outside and {'is' if total == 1 else 'are'} left out: {some(places)}"
    if swapped := [opened.paths[number] for number, mark in enumerate(marks) if mark.swapped]:
        yield (
            f"warning: in {number_of_images(len(swapped))} points outside would be inside with x and y exchanged "
            f"({some(swapped)}); x is the column, y the row: look whether the annotation has them the other way round"
        )


def _outside(opened: Opened) -> list[tuple[Placed, int]]:
    return [(mark, number) for number, mark in enumerate(opened.marks or ()) if len(mark.outside)]


def _place(opened: Opened, mark: Placed, number: int) -> str:
    height, width = opened.images.source_sizes[opened.served[number]].tolist()
    x, y = mark.outside[0].tolist()
    more = f" and {len(mark.outside) - 1:,} more" if len(mark.outside) > 1 else ""
    return f"{opened.paths[number]} ({width:,} x {height:,} pixels) has x {x:.6g}, y {y:.6g}{more}"


def _points(count: int) -> str:
    return "one point lies" if count == 1 else f"{count:,} points lie"
