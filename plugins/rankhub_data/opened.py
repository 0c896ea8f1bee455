"""A labeled data set once it is open: its rows, sides and images; and the report on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from rankhub.interfaces.data import DataReport
from rankhub_data.folder_report import size_range
from rankhub_data.reading import Folder
from rankhub_tables.draws import Ints
from rankhub_tables.split import Sides


class ImageRow(Protocol):
    """What a table says of one image."""

    @property
    def path(self) -> str:
        """Of the image, relative to the data set's folder."""


R = TypeVar("R", bound=ImageRow)


@dataclass(frozen=True, slots=True)
class Listed(Generic[R]):
    """The images that a table or a folder names.

    Attributes:
        rows: One an image.
        source: What named them, for sentences.
        notes: What was left out, as sentences.
        others: Units (see :class:`~rankhub_tables.split.Units`) of images that are not read.
    """

    rows: Sequence[R]
    source: str
    notes: Sequence[str] = ()
    others: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Opened(Generic[R]):
    """A data set that was opened.

    Attributes:
        listed: n images; some of them may be there only to draw the split among them.
        images: The same, decoded.
        sides: How they are divided.
        served: Rows of the part, ascending.
    """

    listed: Listed[R]
    images: Folder
    sides: Sides
    served: Ints

    @property
    def rows(self) -> Sequence[R]:
        """What the table says of the n images."""
        return self.listed.rows

    @property
    def served_rows(self) -> list[R]:
        """What the table says of the images that are served."""
        return [self.rows[row] for row in self.served.tolist()]

    @property
    def paths(self) -> list[str]:
        """Of the images that are served, relative to the root, as the files are named on the disk."""
        return [self.images.path_of(row) for row in self.served.tolist()]

    def known(self, row: int, names: Sequence[str] = ()) -> dict[str, Any]:
        """Those of the attributes of a row that are not empty, and its fold where there are folds."""
        found = {name: value for name in names if (value := getattr(self.rows[row], name))}
        return found if self.sides.folds is None else {**found, "fold": int(self.sides.folds[row])}

    def report(
        self, what: str, said: Iterable[str], copies: str, tables: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> DataReport:
        """The sentences on a data set, and its tables.

        Args:
            what: Is served ("LIVE: 779 scored images").
            said: Of the labels and of the part.
            copies: What copies of images are ("copies with scores of their own").
            tables: Name -> lines.
        """
        first = f"{what} in {self.images.root}, {size_range(self.images.sizes[self.served])}"
        notes = [first, *said, *self.listed.notes]
        different, served = len(np.unique(self.images.originals[self.served])), len(self.served)
        if different < served:
            notes.append(f"{different:,} of {served:,} images differ; the others are {copies}: kept")
        return DataReport([*notes, *self.images.where_kept()], tables)
