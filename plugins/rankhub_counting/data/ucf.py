"""The two crowd sets of the University of Central Florida: UCF_CC_50 and UCF-QNRF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import Ge
from rankhub_counting.data.base import ReleasedImages
from rankhub_counting.data.listing import Listed, Marked, paired
from rankhub_counting.data.marks import Floats, as_points
from rankhub_counting.data.sides import Part, Sides, by_fold, drawn_folds
from rankhub_data.named import NamedImages
from rankhub_data.tables.mat import read_mat, variable
from rankhub_data.tables.split import check_folds

FOLDS = (
    (37, 48, 29, 10, 14, 1, 45, 47, 40, 24),
    (25, 49, 18, 13, 28, 34, 17, 3, 26, 15),
    (31, 6, 33, 2, 30, 36, 42, 20, 38, 11),
    (5, 7, 4, 21, 27, 39, 22, 43, 32, 35),
    (8, 50, 12, 19, 44, 23, 9, 46, 16, 41),
)
"""Numbers of the images of the five folds of UCF_CC_50, as the lists of Liu et al. (CVPR 2018) have them."""


class UcfImages(ReleasedImages):
    """A set whose points stand in ``NAME_ann.mat`` as ``annPoints``."""

    obtained: ClassVar[str] = "the Center for Research in Computer Vision of the University of Central Florida"

    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] what ``annPoints`` holds, in pixels from 1.

        Raises:
            UserError: The file cannot be read, or holds no points.
        """
        path = self.root / row.annotation
        value = variable(path, read_mat(path), "annPoints")
        return as_points(f"`annPoints` of {path}", value, may_be_empty=False)


class UcfCc50(UcfImages):
    """UCF_CC_50 (Idrees, Saleemi, Seibert, Shah, CVPR 2013): 50 photos of 94 to 4,543 people in print.

    ``1.jpg`` and ``1_ann.mat`` to ``50_ann.mat`` in one folder. Scores are the mean over five folds of ten images,
    each by a network that was trained on the other 40; ``part: all`` tells the folds. A few points lie outside.

    Args:
        folds: None = the five folds of the lists that were published; a number deals the images out anew, by ``seed``.
        fold: The fold that is held out, from 0; every part but ``all`` needs it.
    """

    title: ClassVar[str] = "UCF_CC_50"

    def __init__(
        self,
        *,
        root: str,
        part: Part = "all",
        folds: Annotated[int, Ge(2)] | None = None,
        fold: Annotated[int, Ge(0)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(root=root, part=part, **options)
        check_folds(part, folds or len(FOLDS), fold)
        self.fold_count = folds
        self.fold = fold

    @property
    def expected(self) -> Sequence[str]:
        """The first image and its points."""
        return ["1.jpg", "1_ann.mat"]

    def list_images(self) -> Listed:
        """The images by number, with their official folds.

        Raises:
            UserError: An image has no annotation or the other way round, or a number is none of the release's.
        """
        pairs = paired(self.root, (".", r"(\d+)\.jpe?g"), (".", r"(\d+)_ann\.mat"), released=50)
        of = {number: fold for fold, numbers in enumerate(FOLDS) for number in numbers}
        if strange := [path for key, path in pairs.images.items() if int(key) not in of]:
            raise UserError(f"{self.root} has {strange[0]}, but the images of {self.title} are numbered from 1 to 50")
        rows = [replace(row, fold=of[int(key)]) for key, row in zip(pairs.images, pairs.rows(), strict=True)]
        return Listed(rows, self.title, pairs.notes)

    def needed(self, rows: Sequence[Marked]) -> Sequence[Marked]:
        """All: there are but 50, and every fold shares them."""
        return rows

    def sides(self, rows: Sequence[Marked], images: NamedImages) -> Sides:
        """All folds but one to train on.

        Raises:
            UserError: There are fewer images than folds.
        """
        annotated = np.ones(len(rows), dtype=bool)
        if self.fold_count is not None:
            units = [rows[original].path for original in images.originals.tolist()]
            return drawn_folds(units, annotated, self.fold_count, self.fold, self.seed)
        numbers = np.array([row.fold for row in rows], dtype=np.int64)
        return by_fold(numbers, annotated, len(FOLDS), self.fold, "as published")


class UcfQnrf(UcfImages):
    """UCF-QNRF (Idrees et al., ECCV 2018): 1,201 photos to train on and 334 to test, with 1.25 million people.

    ``Train/img_0001.jpg`` and ``Train/img_0001_ann.mat``, and so on. Some photos are very large;
    ``max_side`` keeps memory and time within bounds.
    """

    title: ClassVar[str] = "UCF-QNRF"

    @property
    def expected(self) -> Sequence[str]:
        """The two folders."""
        return ["Train", "Test"]

    def list_images(self) -> Listed:
        """The images of both folders.

        Raises:
            UserError: An image has no annotation or the other way round.
        """
        rows: list[Marked] = []
        notes: list[str] = []
        for folder, held_out, released in (("Train", False, 1201), ("Test", True, 334)):
            pairs = paired(self.root, (folder, r"(img_\d+)\.jpe?g"), (folder, r"(img_\d+)_ann\.mat"), released)
            rows += pairs.rows(held_out)
            notes += pairs.notes
        return Listed(rows, self.title, notes)
