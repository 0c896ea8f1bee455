"""JHU-CROWD++: a text file of heads for each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from rankhub.interfaces.errors import UserError
from rankhub_counting.data.base import ReleasedImages
from rankhub_counting.data.listing import Listed, Marked, paired
from rankhub_counting.data.marks import Floats, as_points
from rankhub_data.wording import some

_RELEASED = {"train": 2272, "val": 500, "test": 1600}
_FIELDS = 6
"""x and y of the head's centre, its width and height, how far it is hidden, and whether it is blurred."""


class JhuCrowd(ReleasedImages):
    """JHU-CROWD++ (Sindagi, Yasarla, Patel, TPAMI 2022): 4,372 photos, 1.51 million heads.

    Images are ``train/images/0001.jpg``, heads ``train/gt/0001.txt``: rows of ``x y w h o b`` with blanks between
    them, of which x and y are used, from the image's edge. An empty file is a photo without people.

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
        needed = {"all": tuple(_RELEASED), "held_out": self.held_out}.get(self.part, ("train",))
        return [f"{split}/{name}" for split in needed for name in ("images", "gt")]

    def list_images(self) -> Listed:
        """The images of the splits that are needed.

        Raises:
            UserError: An image has no annotation or the other way round.
        """
        rows: list[Marked] = []
        notes: list[str] = []
        for folder in self.expected[::2]:
            split = folder.partition("/")[0]
            pairs = paired(self.root, (folder, r"(\d+)\.jpe?g"), (f"{split}/gt", r"(\d+)\.txt"), _RELEASED[split])
            held_out = True if split in self.held_out else False if split == "train" else None
            rows += pairs.rows(held_out)
            notes += pairs.notes
        return Listed(rows, self.title, notes)

    def read_points(self, row: Marked, size: tuple[int, int]) -> Floats:
        """[n, 2] the heads' centres.

        Raises:
            UserError: A row does not hold six numbers.
        """
        path = self.root / row.annotation
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"{path} is no text; get the file as released") from None
        points: list[tuple[float, float]] = []
        wrong: list[str] = []
        for number, line in enumerate(lines, start=1):
            try:
                values = [float(field) for field in line.split()]
            except ValueError:
                values = [0.0]
            if len(values) == _FIELDS:
                points.append((values[0], values[1]))
            elif values:
                wrong.append(f"line {number} ({line.strip()[:40]!r})")
        if wrong:
            raise UserError(f"{path}: no row of {_FIELDS} numbers on {some(wrong)}; get the file as released")
        return as_points(str(path), points, may_be_empty=True)
