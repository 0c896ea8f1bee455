"""What all sets of images with points share: parts, few labels, shrinking with the points, and what is said of them."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.options import Ge, Gt
from rankhub_counting.data.listing import Listed, Marked
from rankhub_counting.data.marks import Floats, Placed, placed
from rankhub_counting.data.report import Opened, refusal, report
from rankhub_counting.data.sides import (
    Bools,
    Part,
    Sides,
    check_held_out,
    drawn,
    drawn_folds,
    keep_labels,
)
from rankhub_data.named import NamedImages, read_named
from rankhub_data.tables.presence import absent
from rankhub_data.tables.split import check_folds


class PointImages(Dataset):
    """Images in which each object is marked by a point.

    Points are served as [n, 3]: x and y in pixels from the left and the top edge of the image as it is served (the
    first pixel's centre is 0.5), and the mean distance to the three nearest other points (NaN with fewer than four).
    Annotations that count pixels from 1, as MATLAB does, put the first pixel's centre at 1: they are moved by half a
    pixel. Points of one place are kept. A point at most one pixel outside the image is moved to its border; one
    further out cannot be what was meant.

    Args:
        root: The folder of the data set. Relative paths start at the current directory.
        part: ``all`` images with points; those to ``train`` on; those ``held_out``; or ``unlabeled``: the images to
            train on that are not among the ``labels``, served without points (without ``labels``: all of them).
        labels: Only so many images to train on keep their labels, drawn from their names; a smaller number is part of
            a larger one. ``held_out`` does not depend on it.
        seed: Another seed draws otherwise; repeated draws are a list of seeds.
        max_side: Longer side in pixels to which larger images are shrunk (antialiased) when they are decoded; their
            points move along. The smaller people of a shrunk photo are harder to count.
        cache: ``auto``: decoded images are written to the recipe's ``loader.cache`` folder only where memory does
            not hold them; ``always``: in any case, so that later runs need not decode again.
    """

    title: ClassVar[str]
    """The data set's name in sentences."""
    obtained: ClassVar[str]
    """Who hands the data set out, as a part of a sentence."""
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
        seed: Annotated[int, Ge(0)] = 0,
        max_side: Annotated[int, Ge(32)] | None = None,
        cache: Literal["auto", "always"] = "auto",
    ) -> None:
        if labels is not None and part == "all":
            raise Objection("`labels` chooses among the images to train on; set `part: train` or `unlabeled`")
        self.root = Path(os.path.abspath(Path(root).expanduser()))
        self.part = part
        self.labels_kept = labels
        self.seed = seed
        self.max_side = max_side
        self.cache = cache
        self.label = LabelSpec() if part == "unlabeled" else LabelSpec("points", unit=self.unit)
        self._opened: Opened | None = None

    @property
    @abstractmethod
    def expected(self) -> Sequence[str]:
        """The files and folders below the root without which the data set cannot be read."""

    @abstractmethod
    def list_images(self) -> Listed:
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

    def sides(self, rows: Sequence[Marked], images: NamedImages) -> Sides:
        """Which of the images that were decoded are to train on and which are held out: the official split.

        Raises:
            UserError: A side is empty.
        """
        held_out = np.array([row.held_out is True for row in rows], dtype=bool)
        train = np.array([row.held_out is False for row in rows], dtype=bool)
        return Sides(train, held_out, None, "the official split")

    def missing(self) -> str | None:
        """Which file or folder is not there, where it was looked for, and who hands the data set out."""
        return absent(self.root, self.title, self.obtained, self.expected)

    def open(self, context: OpenContext) -> DataReport:
        """Decode the images, unless another data set of this process or an earlier run has, and read their points.

        Raises:
            UserError: Annotations that cannot be used, images that are missing or cannot be read, or an empty part.
        """
        listed = self.list_images()
        rows = self.needed(listed.rows)
        if not rows:
            raise UserError(f"{listed.source} names no image of part {self.part}")
        images = read_named(
            self.root,
            [row.path for row in rows],
            None,
            context,
            keep=self.cache == "always",
            source=listed.source,
            max_side=self.max_side,
        )
        sides = self.sides(rows, images)
        labeled = self._labeled(rows, sides)
        served = self._served(rows, sides, labeled)
        marks = None if self.part == "unlabeled" else [self._placed(rows[row], images, row) for row in served.tolist()]
        self._opened = Opened(rows, images, sides, labeled, served, marks)
        if marks is not None:
            if self.outside == "error" and any(len(mark.outside) for mark in marks):
                raise UserError(refusal(self._opened))
            self.label = self._measured(self._opened)
        return report(self.title, self.unit, self.part, self._opened, [*listed.notes, *self.remarks()])

    def remarks(self) -> Sequence[str]:
        """Sentences on what was found while points were read."""
        return ()

    def _labeled(self, rows: Sequence[Marked], sides: Sides) -> Bools:
        """[n] the images of the training part that keep their labels."""
        able: Bools = sides.train & np.array([bool(row.annotation) for row in rows], dtype=bool)
        if self.labels_kept is not None and self.part != "held_out":
            where = np.flatnonzero(able)
            able[where] = keep_labels([rows[row].path for row in where.tolist()], self.labels_kept, self.seed)
        return able

    def _served(self, rows: Sequence[Marked], sides: Sides, labeled: Bools) -> npt.NDArray[np.int64]:
        """Rows of the part, ascending."""
        if self.part == "unlabeled":
            chosen = sides.train if self.labels_kept is None else sides.train & ~labeled
        else:
            chosen = {"train": labeled, "held_out": sides.held_out, "all": np.ones(len(rows), dtype=bool)}[self.part]
        served = np.flatnonzero(chosen)
        if not len(served):
            kept = "" if self.labels_kept is None else f" with `labels: {self.labels_kept:,}`"
            raise UserError(f"{self.title} has no image of part {self.part}{kept} ({sides.how})")
        return served

    def _placed(self, row: Marked, images: NamedImages, number: int) -> Placed:
        (height, width), (new_height, new_width) = images.source_sizes[number].tolist(), images.sizes[number].tolist()
        points = self.read_points(row, (height, width))
        # From pixels counted from 1, whose centres are whole numbers, to distances from the edge.
        return placed(points - 0.5 * self.origin, (height, width), (new_height, new_width))

    def _measured(self, opened: Opened) -> LabelSpec:
        counts, pixels = opened.counts, opened.images.sizes[opened.served].prod(axis=1).sum()
        return replace(self.label.measured(counts), density=float(counts.sum() / pixels))

    def __len__(self) -> int:
        return 0 if self._opened is None else len(self._opened.served)

    def __getitem__(self, index: int) -> Sample:
        """The image at ``index`` as it was decoded, and its points [n, 3]; no copy is made where they lie in memory."""
        assert self._opened is not None
        opened = self._opened
        index = range(len(opened.served))[index]
        row = int(opened.served[index])
        meta: dict[str, Any] = {} if opened.sides.folds is None else {"fold": int(opened.sides.folds[row])}
        label = None if opened.marks is None else opened.marks[index].points
        return Sample(opened.images.image(row), index, label, opened.images.path(row), meta)

    def labels(self) -> npt.NDArray[np.float64] | None:
        """[len] number of points of each image; None for the part ``unlabeled``."""
        return None if self._opened is None or self._opened.marks is None else self._opened.counts

    def points(self) -> Sequence[Floats] | None:
        """The points [n, 3] of each image; None for the part ``unlabeled``."""
        if self._opened is None or self._opened.marks is None:
            return None
        return [mark.points for mark in self._opened.marks]

    def folds(self) -> list[npt.NDArray[np.int64]] | None:
        """Positions of each fold's images with folds and ``part: all``; else None."""
        if self._opened is None or self._opened.sides.folds is None or self.part != "all":
            return None
        served = self._opened.sides.folds[self._opened.served]
        return [np.flatnonzero(served == fold) for fold in range(int(served.max()) + 1)]

    def facts(self, name: str) -> list[str] | None:
        """[len] ``path`` of each image below the root; nothing else is known."""
        return None if self._opened is None or name != "path" else self._opened.paths

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """[len, 2] height and width after shrinking, once the data set is open."""
        return None if self._opened is None else self._opened.images.sizes[self._opened.served]


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
        check_held_out(held_out)
        check_folds(part, folds, fold)
        self.held_out = held_out
        self.fold_count = folds
        self.fold = fold

    def needed(self, rows: Sequence[Marked]) -> Sequence[Marked]:
        """All annotated images, as copies are known by their pixels; for ``unlabeled`` the others too."""
        return [row for row in rows if row.annotation or self.part == "unlabeled"]

    def sides(self, rows: Sequence[Marked], images: NamedImages) -> Sides:
        """A split drawn among all annotated images.

        Raises:
            UserError: A side is empty, or there are fewer images than folds.
        """
        annotated = np.array([bool(row.annotation) for row in rows], dtype=bool)
        if self.part == "all" and self.fold_count is None:
            return Sides(annotated, np.zeros(len(rows), dtype=bool), None, "not divided")
        units = [rows[original].path for original in images.originals.tolist()]
        if self.fold_count is None:
            return drawn(units, annotated, self.held_out, self.seed)
        return drawn_folds(units, annotated, self.fold_count, self.fold, self.seed)


class ReleasedImages(PointImages):
    """A set as its authors released it.

    Args:
        outside: What to do with points more than a pixel outside their image, of which some releases have a few:
            ``drop`` them, which is said, or take them as an ``error``.
    """

    def __init__(self, *, root: str, outside: Literal["error", "drop"] = "drop", **options: Any) -> None:
        super().__init__(root=root, **options)
        self.outside = outside
