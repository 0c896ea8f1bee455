"""STL-10 as its authors ship it: ``stl10_binary/``, without headers, column by column."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.options import Ge, Le
from rankhub_data.archive import Archive, fetch_archive
from rankhub_data.fetchable import Fetchable
from rankhub_tables.text import read_lines

SIDE = 96
IMAGE_BYTES = 3 * SIDE * SIDE
FOLDER = "stl10_binary"


class Stl10(Dataset, Fetchable):
    """STL-10 (Coates, Ng, Lee, AISTATS 2011): 96-pixel photos of ten classes, and 100,000 without labels.

    The binary files are memory-mapped: only what is used is read. ``rankhub data fetch stl10`` downloads them
    (2.6 GB). Any images can take their place in the same layout.

    Not tried on the released files: their layout is as their authors describe it, size and checksum of the archive are
    those that others' loaders state.

    Args:
        root: The folder that holds ``stl10_binary/``, or that folder itself. Relative paths start at the current
            directory.
        split: ``train`` (5,000 labeled), ``test`` (8,000 labeled), ``unlabeled`` (100,000), or
            ``train+unlabeled``: the first and then the last, the label -1 where there is none.
        fold: One of the ten folds of ``train`` (1,000 images each, the standard protocol); without it all
            5,000.
    """

    archive: ClassVar[Archive] = Archive(
        url="http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
        size=2_640_397_119,
        md5="91f7769df0f17e558f3565bffb0c7dfb",
        folder=FOLDER,
        files={
            "train_X.bin": 5_000 * IMAGE_BYTES,
            "train_y.bin": 5_000,
            "test_X.bin": 8_000 * IMAGE_BYTES,
            "test_y.bin": 8_000,
            "unlabeled_X.bin": 100_000 * IMAGE_BYTES,
            "class_names.txt": None,
            "fold_indices.txt": None,
        },
    )

    def __init__(
        self,
        *,
        root: str = "data",
        split: Literal["train", "test", "unlabeled", "train+unlabeled"] = "train",
        fold: Annotated[int, Ge(0), Le(9)] | None = None,
    ) -> None:
        if fold is not None and split != "train":
            raise Objection(f"`fold` is for the split train; the split {split} has none")
        self.given = Path(os.path.abspath(Path(root).expanduser()))
        self.split = split
        self.fold = fold
        self.label = LabelSpec(kind=None if split == "unlabeled" else "class")
        self._images: list[npt.NDArray[np.uint8]] = []
        self._rows: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._labels: npt.NDArray[np.int64] | None = None

    @property
    def folder(self) -> Path:
        """Absolute; where the binary files are looked for."""
        inside = self.given / FOLDER
        is_it = self.given.name == FOLDER or (self.given / "train_X.bin").is_file()
        return self.given if is_it and not inside.is_dir() else inside

    def missing(self) -> str | None:
        """Which file of the split is not there, where it was looked for, and the command that gets it."""
        names = [f"{part}_X.bin" for part in self._parts]
        if self.label.kind is not None:
            names += [f"{self._parts[0]}_y.bin", "class_names.txt"]
        if self.fold is not None:
            names.append("fold_indices.txt")
        absent = [name for name in names if not (self.folder / name).is_file()]
        if not absent:
            return None
        to = "" if self.folder == Path("data", FOLDER).absolute() else f" --to {self.folder.parent}"
        return f"STL-10 is not in {self.folder} (no {', '.join(absent)}); get it with `rankhub data fetch stl10{to}`"

    @property
    def _parts(self) -> list[str]:
        return self.split.split("+")

    def open(self, context: OpenContext) -> DataReport:
        """Map the files of the split.

        Raises:
            UserError: A file has the wrong length or content.
        """
        self._images = [_map_images(self.folder / f"{part}_X.bin") for part in self._parts]
        count = sum(len(images) for images in self._images)
        self._rows = np.arange(count)
        if self.label.kind is not None:
            classes = _read_classes(self.folder / "class_names.txt")
            labels = _read_labels(self.folder / f"{self._parts[0]}_y.bin", len(self._images[0]), len(classes))
            self._labels = np.concatenate([labels, np.full(count - len(labels), -1)])
            self.label = LabelSpec(kind="class", classes=classes)
        if self.fold is not None:
            path = self.folder / "fold_indices.txt"
            folds = _read_folds(path, count)
            if self.fold >= len(folds):
                raise UserError(f"{path} has {len(folds)} folds, counted from 0; there is no {self.fold}")
            self._rows = folds[self.fold]
        fold = "" if self.fold is None else f", fold {self.fold}"
        return DataReport([f"{len(self):,} images of STL-10's split {self.split}{fold} in {self.folder}"])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self._rows))[index]
        row = int(self._rows[index])
        label = None if self._labels is None else int(self._labels[row])
        meta = {} if self.fold is None else {"fold": self.fold}
        return Sample(self.batch([index])[0], index, label=label, meta=meta)

    def batch(self, indices: Sequence[int]) -> Tensor:
        """The images at ``indices``."""
        rows, first = self._rows[list(indices)], 0
        found = np.empty((len(rows), 3, SIDE, SIDE), np.uint8)
        for part in self._images:
            here = (rows >= first) & (rows < first + len(part))
            # Each plane is stored column by column, so rows and columns change places.
            found[here] = part[rows[here] - first].transpose(0, 1, 3, 2)
            first += len(part)
        return torch.from_numpy(found)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_images": len(self._images)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._images = [_map_images(self.folder / f"{part}_X.bin") for part in self._parts[: state["_images"]]]

    def labels(self) -> npt.NDArray[np.int64] | None:
        """[len] class numbers from 0, -1 where unlabeled; None for the split ``unlabeled``."""
        return None if self._labels is None else self._labels[self._rows]

    def sizes(self) -> npt.NDArray[np.int64]:
        """[len, 2] each 96."""
        return np.full((len(self), 2), SIDE, dtype=np.int64)

    def folds(self) -> list[npt.NDArray[np.int64]] | None:
        """Positions of each fold's images in the open split ``train``; None for other splits and for a single fold.

        Raises:
            UserError: The file of the folds is wrong.
        """
        path = self.folder / "fold_indices.txt"
        if self.split != "train" or self.fold is not None or not self._images or not path.is_file():
            return None
        return _read_folds(path, len(self))

    @classmethod
    def fetch(cls, folder: Path | None, mirror: str | None, progress: Callable[[int, int, str], None]) -> Path:
        """Download, check and unpack the archive into ``FOLDER/stl10_binary``; the default folder is ``data``."""
        return fetch_archive(cls.archive, Path("data") if folder is None else folder, mirror, progress)


def _map_images(path: Path) -> npt.NDArray[np.uint8]:
    """[n, 3, 96, 96] the file, mapped; planes column by column."""
    size = path.stat().st_size
    if size == 0 or size % IMAGE_BYTES:
        raise UserError(
            f"{path} has {size:,} bytes, which is no multiple of an image's {IMAGE_BYTES:,} (3 x 96 x 96); "
            "the file is cut off or of another kind: get it anew"
        )
    return np.memmap(path, dtype=np.uint8, mode="r").reshape(-1, 3, SIDE, SIDE)


def _read_classes(path: Path) -> tuple[str, ...]:
    classes = tuple(line for _, line in read_lines(path))
    if not classes:
        raise UserError(f"{path} names no class; it takes one name a line, in the order of the labels")
    return classes


def _read_labels(path: Path, images: int, classes: int) -> npt.NDArray[np.int64]:
    """[images] from 0; the file counts from 1."""
    labels = np.fromfile(path, dtype=np.uint8).astype(np.int64)
    if len(labels) != images:
        raise UserError(f"{path} has {len(labels):,} labels for {images:,} images; the files do not belong together")
    if labels.min() < 1 or labels.max() > classes:
        raise UserError(
            f"{path} has labels from {labels.min()} to {labels.max()}; they must be from 1 to {classes}, "
            "the number of names in class_names.txt"
        )
    return labels - 1


def _read_folds(path: Path, images: int) -> list[npt.NDArray[np.int64]]:
    """One array of indices of training images for each line."""
    folds = []
    for number, line in read_lines(path):
        try:
            # As uint8, as an older torchvision read them, indices above 255 would wrap around.
            rows = np.array(line.split(), dtype=np.int64)
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}; it takes indices of training images") from None
        outside = rows[(rows < 0) | (rows >= images)]
        if len(outside):
            raise UserError(f"{path}, line {number}: index {outside[0]} is not among the {images:,} training images")
        folds.append(rows)
    return folds
