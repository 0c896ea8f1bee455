"""Images and points of one's own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from rankhub_counting.data.base import DividedImages
from rankhub_counting.data.listing import Marked
from rankhub_counting.data.points_file import Columns, read_points_file
from rankhub_data.opened import Listed
from rankhub_data.placed import Floats
from rankhub_data.reading import list_folder
from rankhub_tables.names import folded, spelled
from rankhub_tables.wording import some


class PointsFile(DividedImages):
    """A folder of images, and a file with their points.

    A CSV file (comma, tab or semicolon; the first line names the columns) has a row for each point; an image without
    a point stands in it once with x and y left empty. A JSON file is ``{"a.jpg": [[x, y], ...], "b.jpg": []}``.
    Points are in pixels: shares of width and height are refused, and so are images all of whose points are there twice.

    Images of the folder that the file does not name have no label: the part ``unlabeled`` serves them beside those
    to train on whose labels are not used, except copies of an image that is held out.

    Args:
        annotations: The file, relative to ``root`` or absolute; its ending, ``.json`` or another, says what it is.
        path: Column of the images' paths, relative to ``root``.
        x: Column of the distances from the left.
        y: Column of the distances from the top.
        origin: 0 = the left and the top edge of the image are 0, as in most annotation tools; 1 = the first pixel's
            centre is 1, as in MATLAB.
        outside: What to do with points more than a pixel outside their image: take them as an ``error``, or ``drop``
            them, which is said.
        unit: What is counted, for reports.
    """

    remedy: ClassVar[str] = "set `annotations` to the file of points"

    def __init__(
        self,
        *,
        root: str,
        annotations: str = "points.csv",
        path: str = "path",
        x: str = "x",
        y: str = "y",
        origin: Literal[0, 1] = 0,
        outside: Literal["error", "drop"] = "error",
        unit: str = "objects",
        **options: Any,
    ) -> None:
        self.unit = unit
        super().__init__(root=root, **options)
        self.annotations = os.path.expanduser(annotations)
        self.columns = Columns(path, x, y)
        self.origin = origin
        self.outside = outside
        self._points: Mapping[str, Floats] = {}

    @property
    def expected(self) -> Sequence[str]:
        """The file of points."""
        return [self.annotations]

    def find_images(self) -> Listed[Marked]:
        """The images that the file names, and then the others of the folder.

        Raises:
            UserError: The file cannot be used; see :func:`~.points_file.read_points_file`.
        """
        source = self.root / self.annotations
        found = read_points_file(source, self.columns, self.root)
        self._points = {of.path: of.points for of in found}
        rows = [Marked(of.path, of.path) for of in found]
        named = {self._plain(of.path) for of in found}
        others = [file.path for file in list_folder(self.root, None).files if self._plain(file.path) not in named]
        notes = []
        if again := {of.path: n for of in found if (n := len(of.points) - len(np.unique(of.points, axis=0)))}:
            notes.append(
                f"points at the very place of another of their image: {sum(again.values()):,} (in "
                f"{some(list(again))}); each is counted"
            )
        if others:
            notes.append(
                f"images that {source.name} does not name: {len(others):,} ({some(others)}); they have no label, and "
                "only `part: unlabeled` serves them"
            )
        return Listed([*rows, *(Marked(path, "") for path in others)], source.name, notes)

    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] the points of an image as the file has them."""
        return self._points[row.annotation]

    def _plain(self, path: str) -> str:
        """A path relative to the root, in one spelling and case."""
        return folded(spelled(path, str(self.root)))
