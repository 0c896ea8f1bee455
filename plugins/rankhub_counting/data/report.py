"""What to tell of a set of images with points that was opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rankhub.interfaces.data import DataReport
from rankhub_counting.data.listing import Marked, annotated
from rankhub_data.opened import Opened
from rankhub_data.placed import Placed
from rankhub_tables.wording import number_of_images, some


def report(
    title: str, unit: str, part: str, opened: Opened[Marked], marks: Sequence[Placed] | None, labeled: int
) -> DataReport:
    """Sentences and the table ``counts``.

    The table has a row for each image that is served, and with part ``train`` also for those to train on whose labels
    are not used; a count that is not used is left empty.

    Args:
        title: The data set's name.
        unit: What is counted.
        part: What is served.
        opened: What was opened.
        marks: The points of the images that are served; None = they are served without.
        labeled: How many images to train on keep their labels.
    """
    counts: dict[int, int] = {}
    if marks is not None:
        counts = {row: len(mark.points) for row, mark in zip(opened.served.tolist(), marks, strict=True)}
    shown, path_of = opened.served, opened.images.path_of
    if part == "train":
        shown = np.flatnonzero(opened.sides.train & annotated(opened.rows))
    lines = [
        {"path": path_of(row), "count": counts.get(row, ""), "labeled": row in counts, **opened.known(row)}
        for row in shown.tolist()
    ]
    what = "" if marks is None else f" with {sum(counts.values()):,} {unit}"
    first = f"{title}: {number_of_images(len(opened.served))}{what}"
    said = _notes(unit, part, opened, marks, labeled)
    return opened.report(first, said, "copies", {"counts": lines})


def refusal(opened: Opened[Marked], marks: Sequence[Placed]) -> str:
    """The sentence on points that lie outside their images; there are some."""
    wrong = _outside(marks)
    total = sum(len(mark.outside) for mark, _ in wrong)
    locations = [_location(opened, mark, number) for mark, number in wrong]
    swapped = sum(mark.swapped for mark, _ in wrong)
    advice = "mend them, or set `outside: drop` to leave them out"
    if swapped:
        advice = (
            f"in {number_of_images(swapped)} they fit with x and y exchanged: write x, the column, before y, the row"
        )
    return f"{_points(total)} more than a pixel outside the image: {some(locations)}; {advice}"


def _notes(unit: str, part: str, opened: Opened[Marked], marks: Sequence[Placed] | None, labeled: int) -> Iterator[str]:
    images, served = opened.images, opened.served
    if marks is not None:
        counts = [len(mark.points) for mark in marks]
        yield f"{unit} in an image: from {min(counts):,} to {max(counts):,}, mean {sum(counts) / len(counts):,.4g}"
    if part != "all" or opened.sides.folds is not None:
        yield f"part {part}: {opened.sides.how}"
    trained = int(opened.sides.train.sum())
    if part in ("train", "unlabeled") and 0 < labeled < trained:
        yield f"{labeled:,} of {number_of_images(trained)} to train on keep their labels"
    shrunk = int((images.sizes[served] != images.source_sizes[served]).any(axis=1).sum())
    if shrunk:
        yield f"{number_of_images(shrunk)} shrunk by `max_side`, points moved along"
    yield from _moved(opened, marks or ())


def _moved(opened: Opened[Marked], marks: Sequence[Placed]) -> Iterator[str]:
    if moved := sum(mark.moved for mark in marks):
        yield f"{_points(moved)} at most a pixel outside the image, moved to its border"
    if wrong := _outside(marks):
        locations = [_location(opened, mark, number) for mark, number in wrong]
        total = sum(len(mark.outside) for mark, _ in wrong)
        yield f"{_points(total)} further outside and {'is' if total == 1 else 'are'} left out: {some(locations)}"
    if swapped := [opened.paths[number] for number, mark in enumerate(marks) if mark.swapped]:
        yield (
            f"warning: in {number_of_images(len(swapped))} points outside would be inside with x and y exchanged "
            f"({some(swapped)}); x is the column, y the row: look whether the annotation has them the other way round"
        )


def _outside(marks: Sequence[Placed]) -> list[tuple[Placed, int]]:
    return [(mark, number) for number, mark in enumerate(marks) if len(mark.outside)]


def _location(opened: Opened[Marked], mark: Placed, number: int) -> str:
    height, width = opened.images.source_sizes[opened.served[number]].tolist()
    x, y = mark.outside[0].tolist()
    more = f" and {len(mark.outside) - 1:,} more" if len(mark.outside) > 1 else ""
    return f"{opened.paths[number]} ({width:,} x {height:,} pixels) has x {x:.6g}, y {y:.6g}{more}"


def _points(count: int) -> str:
    return "one point lies" if count == 1 else f"{count:,} points lie"
