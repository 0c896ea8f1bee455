"""ShanghaiTech, parts A and B."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.base import ReleasedImages
from rankhub_counting.data.listing import Marked, joined, paired
from rankhub_counting.data.marks import as_points
from rankhub_data.opened import Listed
from rankhub_data.placed import Floats
from rankhub_tables.mat import read_mat
from rankhub_tables.text import RELEASED

_RELEASED = {"A": (300, 182), "B": (400, 316)}
_TRUTH = ("ground_truth", "ground-truth")


class ShanghaiTech(ReleasedImages):
    """ShanghaiTech (Zhang, Zhou, Chen, Gao, Ma, CVPR 2016).

    Subset A: 482 photos of crowds from the web, of 33 to 3,139 people, 300 to train on and 182 to test. Subset B:
    716 photos of streets in Shanghai, of 9 to 578 people, 400 and 316. The two are scored apart.

    Images are ``part_A_final/train_data/images/IMG_1.jpg``, points ``part_A_final/train_data/ground_truth/
    GT_IMG_1.mat`` (``image_info``: a cell with a struct with ``location``); ``part_A`` and ``ground-truth`` of later
    copies are as good. Images of other names (some copies add ``street*.jpg``) have no points and are left out.

    Not tried on a released set: the layout is as others' loaders read it, and the points stand as in the first file of
    each subset, which was looked at.

    Args:
        subset: ``A`` or ``B``.
    """

    title: ClassVar[str] = "ShanghaiTech"
    obtained: ClassVar[str] = "its authors, of ShanghaiTech University, hand it out"

    def __init__(self, *, root: str, subset: Literal["A", "B"], **options: Any) -> None:
        super().__init__(root=root, **options)
        self.subset = subset

    @property
    def folder(self) -> str:
        """Of the subset, below the root; as in the release where there is none."""
        names = (f"part_{self.subset}_final", f"part_{self.subset}")
        return next((name for name in names if (self.root / name).is_dir()), names[0])

    @property
    def expected(self) -> Sequence[str]:
        """The images and points of both sides."""
        return [f"{side}/{name}" for side in self._sides for name in ("images", self._truth(side))]

    def find_images(self) -> Listed[Marked]:
        """The images of the subset.

        Raises:
            UserError: An image has no annotation or the other way round.
        """
        images, points = r"(IMG_\d+)\.jpe?g", r"GT_(IMG_\d+)\.mat"
        folders = [
            paired(self.root, (f"{side}/images", images), (f"{side}/{self._truth(side)}", points), released, held_out)
            for side, released, held_out in zip(self._sides, _RELEASED[self.subset], (False, True), strict=True)
        ]
        return joined(f"{self.title} {self.subset}", folders)

    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] the struct's ``location``, in pixels from 1.

        Raises:
            UserError: The file is not of that form.
        """
        path = self.root / row.annotation
        info = read_mat(path).variable("image_info")
        # A cell with a struct: each an array of one element.
        while info.dtype == object and info.size == 1:
            info = np.asarray(info.reshape(-1)[0])
        if info.size != 1 or "location" not in (info.dtype.names or ()):
            raise UserError(f"`image_info` of {path} is no struct with `location`; {RELEASED}")
        return as_points(f"`location` of {path}", info["location"].reshape(-1)[0], may_be_empty=False)

    @property
    def _sides(self) -> tuple[str, str]:
        return f"{self.folder}/train_data", f"{self.folder}/test_data"

    def _truth(self, side: str) -> str:
        return next((name for name in _TRUTH if (self.root / side / name).is_dir()), _TRUTH[0])
