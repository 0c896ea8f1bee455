"""NWPU-Crowd: lists of the splits, and points as JSON or MATLAB files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.base import ReleasedImages
from rankhub_counting.data.listing import Marked, files_in
from rankhub_counting.data.marks import as_points
from rankhub_data.opened import Listed
from rankhub_data.placed import Floats
from rankhub_tables.mat import read_mat
from rankhub_tables.text import RELEASED, read_lines, read_object
from rankhub_tables.wording import some

_LISTS = {"train.txt": False, "val.txt": True}
"""A list -> whether its images are held out."""


class NwpuCrowd(ReleasedImages):
    """NWPU-Crowd (Wang, Gao, Lin, Li, TPAMI 2021): 5,109 photos, 2.13 million people, up to 20,033 in one.

    Images are ``images/0001.jpg``; their numbers stand first on the lines of ``train.txt`` (3,109 photos, the part
    ``train``) and ``val.txt`` (500, the part ``held_out``). The labels of the test images are withheld by the authors
    for their server: those images are not served. Points are those of ``jsons/0001.json``, or where that folder is
    not there of ``mats/0001.mat``, from the image's edge. A photo may be without people.

    Not tried on a released file: the layout is as others describe it.
    """

    title: ClassVar[str] = "NWPU-Crowd"
    obtained: ClassVar[str] = "its authors, of Northwestern Polytechnical University, hand it out"
    origin: Literal[0, 1] = 0

    @property
    def expected(self) -> Sequence[str]:
        """The images, their points and the two lists."""
        return ["images", self._points, *_LISTS]

    def find_images(self) -> Listed[Marked]:
        """The images of both lists.

        Raises:
            UserError: A list cannot be read, names an image twice, or one that has no file or no points.
        """
        images, _ = files_in(self.root, "images", r"(\d+)\.jpe?g")
        points, _ = files_in(self.root, self._points, r"(\d+)\.(?:json|mat)")
        rows: list[Marked] = []
        listed_in: dict[str, str] = {}
        for name, held_out in _LISTS.items():
            keys = _keys(self.root / name)
            for what, there in (("images", images), (self._points, points)):
                if without := [key for key in keys if key not in there]:
                    raise UserError(
                        f"{len(without):,} of the {len(keys):,} images that {self.root / name} names are not in "
                        f"{self.root / what}: {some(without)}; unpack the set anew"
                    )
            if twice := [key for key in keys if listed_in.setdefault(key, name) != name]:
                raise UserError(f"{self.root} has {some(twice)} in train.txt and in val.txt; get the lists as released")
            rows += [Marked(images[key], points[key], held_out) for key in keys]
        listed = set(listed_in)
        withheld = sum(key not in listed for key in images)
        notes = [f"images on neither list, whose labels are withheld, are left out: {withheld:,}"] if withheld else []
        return Listed(rows, self.title, notes)

    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] ``points`` of the JSON file, or ``annPoints`` of the MATLAB file.

        Raises:
            UserError: The file cannot be read or has no such thing.
        """
        path = self.root / row.annotation
        if path.suffix.lower() == ".mat":
            return as_points(f"`annPoints` of {path}", read_mat(path).variable("annPoints"), may_be_empty=True)
        content = read_object(path, '{"points": [[x, y], ...], ...}')
        if "points" not in content:
            raise UserError(f"{path} has no `points`; {RELEASED}")
        return as_points(f"`points` of {path}", content["points"], may_be_empty=True)

    @property
    def _points(self) -> str:
        """The folder of points."""
        return "mats" if (self.root / "mats").is_dir() and not (self.root / "jsons").is_dir() else "jsons"


def _keys(path: Path) -> list[str]:
    """The first word of each line; the others say how bright and how crowded an image is."""
    keys = [line.split()[0].lower() for _, line in read_lines(path)]
    if not keys:
        raise UserError(f"{path} names no image; get the list as released")
    if len(set(keys)) < len(keys):
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise UserError(f"{path} names {some(twice)} more than once; get the list as released")
    return keys
