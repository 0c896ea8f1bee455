"""The two crowd sets of the University of Central Florida: UCF_CC_50 and UCF-QNRF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import Ge
from rankhub_counting.data.base import Part, ReleasedImages, units_of
from rankhub_counting.data.listing import Marked, annotated, joined, paired
from rankhub_counting.data.marks import as_points
from rankhub_data.named import NamedImages
from rankhub_data.opened import Listed
from rankhub_data.placed import Floats
from rankhub_tables.mat import read_mat
from rankhub_tables.split import Sides, Split, by_fold

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
        value = read_mat(path).variable("annPoints")
        return as_points(f"`annPoints` of {path}", value, may_be_empty=False)


class UcfCc50(UcfImages):
    """UCF_CC_50 (Idrees, Saleemi, Seibert, Shah, CVPR 2013): 50 photos of 94 to 4,543 people in print.

    ``1.jpg`` and ``1_ann.mat`` to ``50_ann.mat`` in one folder. Scores are the mean over five folds of ten images,
    each by a network that was trained on the other 40; ``part: all`` tells the folds. A few points lie outside.

    Tried on all of the released photos and points.

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
        self.split = Split(part, 1 / len(FOLDS), folds or len(FOLDS), fold, self.seed)
        self.published = folds is None

    @property
    def expected(self) -> Sequence[str]:
        """The first image and its points."""
        return ["1.jpg", "1_ann.mat"]

    def find_images(self) -> Listed[Marked]:
        """The images by number, with their official folds.

        Raises:
            UserError: An image has no annotation or the other way round, or a number is none of the release's.
        """
        listed = paired(self.root, (".", r"(\d+)\.jpe?g"), (".", r"(\d+)_ann\.mat"), released=50)
        of = {number: fold for fold, numbers in enumerate(FOLDS) for number in numbers}
        numbers = [int(row.path.partition(".")[0]) for row in listed.rows]
        if strange := [row.path for row, number in zip(listed.rows, numbers, strict=True) if number not in of]:
            raise UserError(f"{self.root} has {strange[0]}, but the images of {self.title} are numbered from 1 to 50")
        rows = [replace(row, fold=of[number]) for row, number in zip(listed.rows, numbers, strict=True)]
        return replace(listed, rows=rows, source=self.title)

    def needed(self, rows: Sequence[Marked]) -> Sequence[Marked]:
        """All: there are but 50, and every fold shares them."""
        return rows

    def divide(self, listed: Listed[Marked], images: NamedImages) -> Sides:
        """All folds but one to train on.

        Raises:
            UserError: There are fewer images than folds.
        """
        if not self.published:
            return self.split.sides(units_of(listed.rows, images))
        numbers = np.array([row.fold for row in listed.rows], dtype=np.int64)
        return by_fold(numbers, annotated(listed.rows), self.split, "as published")


class UcfQnrf(UcfImages):
    """UCF-QNRF (Idrees et al., ECCV 2018): 1,201 photos to train on and 334 to test, with 1.25 million people.

    ``Train/img_0001.jpg`` and ``Train/img_0001_ann.mat``, and so on. Some photos are very large;
    ``max_side`` keeps memory and time within bounds.

    Not tried on a released set: the layout is as others' loaders read it, and the points stand as in the first file,
    which was looked at.
    """

    title: ClassVar[str] = "UCF-QNRF"

    @property
    def expected(self) -> Sequence[str]:
        """The two folders."""
        return ["Train", "Test"]

    def find_images(self) -> Listed[Marked]:
        """The images of both folders.

        Raises:
            UserError: An image has no annotation or the other way round.
        """
        images, points = r"(img_\d+)\.jpe?g", r"(img_\d+)_ann\.mat"
        sides = (("Train", 1201, False), ("Test", 334, True))
        return joined(self.title, [paired(self.root, (at, images), (at, points), n, out) for at, n, out in sides])
