"""The base of all data sets that are images in a folder and a table, or files beside them, of their labels."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.data import DataReport, Dataset, OpenContext, Sample
from rankhub.interfaces.options import Ge
from rankhub_data.named import read_named
from rankhub_data.opened import Listed, Opened, R
from rankhub_data.reading import Folder
from rankhub_tables.draws import Ints
from rankhub_tables.split import Sides

Labels = Sequence[float] | Sequence[npt.NDArray[np.float64]]


class LabeledImages(Dataset, Generic[R]):
    """Images below a folder, with what a table or files beside them say of each.

    A subclass says which images there are, which of them are served, and what their labels are. An image that is
    missing or cannot be read stops the run: its label would have no image.

    Args:
        root: The folder of the data set. Relative paths start at the current directory.
        seed: Another seed draws otherwise; repeated draws are a list of seeds.
        cache: ``auto``: decoded images are written to the recipe's ``loader.cache`` folder only where memory does
            not hold them; ``always``: in any case, so that later runs need not decode again.
    """

    title: ClassVar[str] = "your set"
    """The data set's name in sentences."""
    obtained: ClassVar[str] = ""
    """Who hands the data set out, as a part of a sentence; empty for a set of one's own."""
    remedy: ClassVar[str] = ""
    """What to do where a file of one's own set is not there, as the end of a sentence."""
    known: ClassVar[tuple[str, ...]] = ()
    """Attributes of a row that are facts of its image, beside ``path``."""

    part: str
    """``all``, or the part that is served."""
    resize: int | None = None
    """Shorter side in pixels to which images are shrunk when they are decoded."""
    max_side: int | None = None
    """Longer side in pixels to which larger images are shrunk when they are decoded."""

    def __init__(
        self, *, root: str, seed: Annotated[int, Ge(0)] = 0, cache: Literal["auto", "always"] = "auto"
    ) -> None:
        self.root = Path(os.path.abspath(Path(root).expanduser()))
        self.seed = seed
        self.cache = cache
        self._opened: Opened[R] | None = None
        self._labels: Labels | None = None

    @property
    @abstractmethod
    def expected(self) -> Sequence[str]:
        """The files and folders below the root without which the data set cannot be read."""

    @abstractmethod
    def list_images(self) -> Listed[R]:
        """The images to decode: those that are served, and those without which they cannot be divided.

        Raises:
            UserError: Tables or folders are not as they should be; one sentence.
        """

    @abstractmethod
    def arrange(self, listed: Listed[R], images: Folder) -> tuple[Sides, Ints]:
        """How the images that were decoded are divided, and the rows of those that are served, ascending.

        Raises:
            UserError: A side is empty, or nothing is served.
        """

    @abstractmethod
    def read_labels(self, opened: Opened[R]) -> tuple[Labels | None, DataReport]:
        """The labels of the images that are served, and what is to be told of the data set.

        Raises:
            UserError: Labels that cannot be used.
        """

    def missing(self) -> str | None:
        """Which file or folder is not there, where it was looked for, and who hands the data set out."""
        gone = [name for name in self.expected if not (self.root / name).exists()]
        if not self.obtained:  # one's own
            if not self.root.is_dir():
                return f"there is no folder {self.root}; set `root` to the folder that holds your images"
            gone = [name for name in self.expected if not (self.root / name).is_file()]
            return f"there is no file {self.root / gone[0]}; {self.remedy}" if gone else None
        if not self.root.is_dir():
            where = f"at {self.root}, which is no folder"
        elif gone:
            where = f"in {self.root} (no {', '.join(gone)})"
        else:
            return None
        return f"{self.title} is not {where}; set `root` to where it is ({self.obtained})"

    def open(self, context: OpenContext) -> DataReport:
        """Read what is known of the images, and decode them unless a data set of this process or an earlier run has.

        Raises:
            UserError: Tables or labels that cannot be used, images that are missing or cannot be read, an empty part.
        """
        listed = self.list_images()
        paths, keep = [row.path for row in listed.rows], self.cache == "always"
        images = read_named(
            self.root, paths, self.resize, context, keep=keep, source=listed.source, max_side=self.max_side
        )
        opened = Opened(listed, images, *self.arrange(listed, images))
        self._labels, report = self.read_labels(opened)
        self._opened = opened
        return report

    def __len__(self) -> int:
        return 0 if self._opened is None else len(self._opened.served)

    def __getitem__(self, index: int) -> Sample:
        """The image at ``index`` as it was decoded, not copied where it lies in memory, its label, and known facts."""
        assert self._opened is not None
        opened = self._opened
        index = range(len(opened.served))[index]
        row = int(opened.served[index])
        meta: dict[str, Any] = opened.known(row, self.known)
        label = None if self._labels is None else self._labels[index]
        return Sample(opened.images.image(row), index, label, opened.images.path(row), meta)

    def batch(self, indices: Sequence[int]) -> Tensor | list[Tensor]:
        """The images at ``indices``, by one gather where they are of one size."""
        assert self._opened is not None
        return self._opened.images.decoded.images.batch(self._opened.served[list(indices)])

    def folds(self) -> list[npt.NDArray[np.int64]] | None:
        """Positions of each fold's images with folds and ``part: all``; else None."""
        if self._opened is None or self._opened.sides.folds is None or self.part != "all":
            return None
        folds = self._opened.sides.folds
        served = folds[self._opened.served]
        return [np.flatnonzero(served == fold) for fold in range(int(folds.max()) + 1)]

    def facts(self, name: str) -> list[str] | None:
        """[len] ``path`` of each image below the root, or what else is known of it; None where nothing is."""
        if self._opened is None or name not in ("path", *self.known):
            return None
        if name == "path":
            return self._opened.paths
        values = [str(getattr(row, name)) for row in self._opened.served_rows]
        return values if any(values) else None

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """[len, 2] height and width after shrinking, once the data set is open."""
        return None if self._opened is None else self._opened.images.sizes[self._opened.served]

    def digests(self) -> npt.NDArray[np.uint64] | None:
        """[len] a hash of each file, once the data set is open."""
        return None if self._opened is None else self._opened.images.digests[self._opened.served]
