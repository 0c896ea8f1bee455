"""What all sets of images with points share: parts, few labels, shrinking with the points, and what is said of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np

from rankhub.interfaces.data import DataReport, LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.options import Ge, Gt
from rankhub_counting.data.listing import Marked, annotated
from rankhub_counting.data.report import refusal, report
from rankhub_data.labeled_images import LabeledImages
from rankhub_data.meaning import measured
from rankhub_data.opened import Listed, Opened
from rankhub_data.placed import Floats, Placed, placed
from rankhub_data.reading import Folder
from rankhub_points import PointLabels
from rankhub_tables.draws import Bools, Ints, few_labels
from rankhub_tables.split import Sides, Split, Units

Part = Literal["all", "train", "held_out", "unlabeled"]


class PointImages(LabeledImages[Marked]):
    """Images in which each object is marked by a point.

    Points are served as [n, 3]: x and y in pixels from the left and the top edge of the image as it is served (the
    first pixel's centre is 0.5), and the mean distance to the three nearest other points (NaN with fewer than four).
    Annotations that count pixels from 1, as MATLAB does, put the first pixel's centre at 1: they are moved by half a
    pixel. Points of one place are kept. A point at most one pixel outside the image is moved to its border; one
    further out cannot be what was meant.

    Args:
        part: ``all`` images with points; those to ``train`` on; those ``held_out``; or ``unlabeled``: the images to
            train on that are not among the ``labels``, served without points (without ``labels``: all of them).
        labels: Only so many images to train on keep their labels, drawn from their names; a smaller number is part of
            a larger one. ``held_out`` does not depend on it.
        max_side: Longer side in pixels to which larger images are shrunk (antialiased) when they are decoded; their
            points move along. The smaller people of a shrunk photo are harder to count.
    """

    origin: Literal[0, 1] = 1
    """0 = points are counted from the image's edge; 1 = in pixels from 1, as MATLAB counts them."""
    outside: Literal["error", "drop"] = "error"
    """What happens to points more than a pixel outside the image."""
    unit: str = "people"
    """What is counted."""

    def __init__(
        self,
        *,
        root: str,
        part: Part = "all",
        labels: Annotated[int, Ge(1)] | None = None,
        max_side: Annotated[int, Ge(32)] | None = None,
        **options: Any,
    ) -> None:
        if labels is not None and part == "all":
            raise Objection("`labels` chooses among the images to train on; set `part: train` or `unlabeled`")
        super().__init__(root=root, **options)
        self.part = part
        self.labels_kept = labels
        self.max_side = max_side
        self.label = LabelSpec() if part == "unlabeled" else PointLabels(unit=self.unit)
        self._labels: Sequence[Floats] | None = None

    @abstractmethod
    def find_images(self) -> Listed[Marked]:
        """Which images there are, with their annotations and the side of the official split.

        Raises:
            UserError: Folders or lists are not as they should be; one sentence.
        """

    @abstractmethod
    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] x and y of an annotated image, as the annotation counts them (see ``origin``).

        Args:
            row: The image.
            size: Its height and width in the file, upright.

        Raises:
            UserError: The annotation cannot be used; one sentence.
        """

    def needed(self, rows: Sequence[Marked]) -> Sequence[Marked]:
        """The images to decode: those of the wanted side, so that the parts of a side share them."""
        if self.part == "all":
            return [row for row in rows if row.annotation]
        out = self.part == "held_out"
        return [row for row in rows if row.held_out is out]

    def list_images(self) -> Listed[Marked]:
        """Those that are needed."""
        listed = self.find_images()
        rows = self.needed(listed.rows)
        if not rows:
            raise UserError(f"{listed.source} names no image of part {self.part}")
        return replace(listed, rows=rows)

    def divide(self, listed: Listed[Marked], images: Folder) -> Sides:
        """The official split.

        Raises:
            UserError: A side is empty.
        """
        train, held_out = (np.array([row.held_out is out for row in listed.rows], dtype=bool) for out in (False, True))
        return Sides(train, held_out, None, "the official split")

    def arrange(self, listed: Listed[Marked], images: Folder) -> tuple[Sides, Ints]:
        """The sides, and the rows of the part."""
        sides = self.divide(listed, images)
        labeled = self._labeled(listed.rows, sides)
        if self.part == "unlabeled":
            chosen = sides.train if self.labels_kept is None else sides.train & ~labeled
        else:
            chosen = {"train": labeled, "held_out": sides.held_out, "all": np.ones_like(labeled)}[self.part]
        served = np.flatnonzero(chosen)
        if not len(served):
            kept = "" if self.labels_kept is None else f" with `labels: {self.labels_kept:,}`"
            raise UserError(f"{self.title} has no image of part {self.part}{kept} ({sides.how})")
        return sides, served

    def read_labels(self, opened: Opened[Marked]) -> tuple[list[Floats] | None, DataReport]:
        """The points, laid into the images."""
        marks = None if self.part == "unlabeled" else [self._placed(opened, row) for row in opened.served.tolist()]
        if marks is not None:
            if self.outside == "error" and any(len(mark.outside) for mark in marks):
                raise UserError(refusal(opened, marks))
            counts = np.array([len(mark.points) for mark in marks], dtype=np.float64)
            pixels = opened.images.sizes[opened.served].prod(axis=1).sum()
            self.label = replace(measured(self.label, counts), density=float(counts.sum() / pixels))
        labeled = int(self._labeled(opened.rows, opened.sides).sum())
        said = report(self.title, self.unit, self.part, opened, marks, labeled)
        return None if marks is None else [mark.points for mark in marks], said

    def _labeled(self, rows: Sequence[Marked], sides: Sides) -> Bools:
        """[n] the images of the training part that keep their labels."""
        able = sides.train & annotated(rows)
        if self.labels_kept is not None and self.part != "held_out":
            where = np.flatnonzero(able)
            able[where] = few_labels([rows[row].path for row in where.tolist()], self.labels_kept, self.seed)
        return able

    def _placed(self, opened: Opened[Marked], number: int) -> Placed:
        images = opened.images
        (height, width), (new_height, new_width) = images.source_sizes[number].tolist(), images.sizes[number].tolist()
        points = self.read_points(opened.rows[number], (height, width))
        # From pixels counted from 1, whose centres are whole numbers, to distances from the edge.
        return placed(points - 0.5 * self.origin, (height, width), (new_height, new_width))

    def labels(self) -> Floats | None:
        """[len] number of points of each image; None for the part ``unlabeled``."""
        return None if self._labels is None else np.array([len(points) for points in self._labels], dtype=np.float64)

    def points(self) -> Sequence[Floats] | None:
        """The points [n, 3] of each image; None for the part ``unlabeled``."""
        return self._labels


class DividedImages(PointImages):
    """A set without an official split.

    Args:
        held_out: Share of the annotated images that is held out, rounded; or a whole number of them. Copies of one
            image count as one and stay together. A split is a pure function of the names and the seed.
        folds: Deal the images into so many folds in place of ``held_out``: with ``fold``, ``train`` is what lies
            outside that fold and ``held_out`` what lies in it.
        fold: Which of the folds, from 0.
    """

    def __init__(
        self,
        *,
        root: str,
        part: Part = "all",
        held_out: Annotated[float, Gt(0)] = 0.2,
        folds: Annotated[int, Ge(2)] | None = None,
        fold: Annotated[int, Ge(0)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(root=root, part=part, **options)
        self.split = Split(part, held_out, folds, fold, self.seed)

    def needed(self, rows: Sequence[Marked]) -> Sequence[Marked]:
        """All annotated images, as copies are known by their pixels; for ``unlabeled`` the others too."""
        return [row for row in rows if row.annotation or self.part == "unlabeled"]

    def divide(self, listed: Listed[Marked], images: Folder) -> Sides:
        """A split drawn among all annotated images.

        Raises:
            UserError: A side is empty, or there are fewer images than folds.
        """
        return self.split.sides(units_of(listed.rows, images))


def units_of(rows: Sequence[Marked], images: Folder) -> Units:
    """Copies of an image stay together."""
    names = [rows[original].path for original in images.originals.tolist()]
    return Units(names, "annotated images", annotated(rows))


class ReleasedImages(PointImages):
    """A set as its authors released it.

    Args:
        outside: What to do with points more than a pixel outside their image, of which some releases have a few:
            ``drop`` them, which is said, or take them as an ``error``.
    """

    def __init__(self, *, root: str, outside: Literal["error", "drop"] = "drop", **options: Any) -> None:
        super().__init__(root=root, **options)
        self.outside = outside
