"""JHU-CROWD++: a text file of heads for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.base import ReleasedImages
from rankhub_counting.data.listing import Marked, joined, paired
from rankhub_counting.data.marks import as_points
from rankhub_data.opened import Listed
from rankhub_data.placed import Floats
from rankhub_tables.numbers import number
from rankhub_tables.text import RELEASED, read_lines
from rankhub_tables.wording import some

_RELEASED = {"train": 2272, "val": 500, "test": 1600}
_FIELDS = 6
"""x and y of the head's centre, its width and height, how far it is hidden, and whether it is blurred."""


class JhuCrowd(ReleasedImages):
    """JHU-CROWD++ (Sindagi, Yasarla, Patel, TPAMI 2022): 4,372 photos, 1.51 million heads.

    Images are ``train/images/0001.jpg``, heads ``train/gt/0001.txt``: rows of ``x y w h o b`` with blanks between
    them, of which x and y are used, from the image's edge. An empty file is a photo without people.

    Not tried on a released file: the layout is as others describe it.

    Args:
        held_out: Which of the splits ``val`` (500 photos) and ``test`` (1,600) are the part ``held_out``; ``train``
            (2,272) is always the part ``train``, and a split that is neither is in ``part: all`` only.
    """

    title: ClassVar[str] = "JHU-CROWD++"
    obtained: ClassVar[str] = "its authors, of Johns Hopkins University, hand it out"
    origin: Literal[0, 1] = 0

    def __init__(self, *, root: str, held_out: Literal["val", "test", "both"] = "test", **options: Any) -> None:
        super().__init__(root=root, **options)
        self.held_out = ("val", "test") if held_out == "both" else (held_out,)

    @property
    def expected(self) -> Sequence[str]:
        """The images and heads of the splits that are needed."""
        return [f"{split}/{name}" for split in self._needed for name in ("images", "gt")]

    @property
    def _needed(self) -> Sequence[str]:
        return {"all": tuple(_RELEASED), "held_out": self.held_out}.get(self.part, ("train",))

    def find_images(self) -> Listed[Marked]:
        """The images of the splits that are needed.

        Raises:
            UserError: An image has no annotation or the other way round.
        """
        images, heads = r"(\d+)\.jpe?g", r"(\d+)\.txt"
        side = {"train": False, **dict.fromkeys(self.held_out, True)}
        folders = [
            paired(self.root, (f"{split}/images", images), (f"{split}/gt", heads), _RELEASED[split], side.get(split))
            for split in self._needed
        ]
        return joined(self.title, folders)

    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] the heads' centres.

        Raises:
            UserError: A row does not hold six numbers.
        """
        path = self.root / row.annotation
        points: list[list[float]] = []
        wrong: list[str] = []
        for at, line in read_lines(path):
            try:
                values = [number(field) for field in line.split()]
            except ValueError:
                values = []
            if len(values) == _FIELDS:
                points.append(values[:2])
            else:
                wrong.append(f"line {at} ({line[:40]!r})")
        if wrong:
            raise UserError(f"{path}: no row of {_FIELDS} numbers on {some(wrong)}; {RELEASED}")
        return as_points(str(path), points, may_be_empty=True)
