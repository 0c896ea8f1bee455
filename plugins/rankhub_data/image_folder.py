"""Any folder of images, nested or flat."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import readable
from rankhub.interfaces.options import Ge, Gt, Lt
from rankhub_data.folder_report import nothing_found, nothing_readable, report
from rankhub_data.listed import only_listed
from rankhub_data.parts import held_out
from rankhub_data.reading import Folder, list_folder, read_folder
from rankhub_listing.scan import Listing

_SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing", "unlabeled", "unlabelled"})


class ImageFolder(Dataset):
    """Any folder of images, nested or flat: mixed sizes, modes, depths and formats.

    Every image is decoded once, when the data set opens, to 8-bit RGB, and stays in memory, or in a
    memory-mapped file where it would exceed the recipe's ``loader.memory_limit_gb``. What cannot be read is
    skipped and listed with the reason. Grey of 16 bits is scaled from its whole range, transparent images are
    laid on white, orientation in EXIF is applied, the first frame of animations is taken; colour profiles are
    not applied.

    ``train`` and ``held_out`` are told apart by a hash of each file's content, so an image stays on its side
    when the folder grows or moves, and exact duplicates are never separated. Duplicates are images whose pixels,
    as kept, are the same: copies under another name, and copies that differ in metadata or compression only.

    Args:
        root: The folder. Relative paths start at the current directory.
        folders: Only these folders below ``root``.
        listed: A CSV file with a column ``path``: only the images that it names, as they are called below ``root``.
        labels: ``none``, or ``folder``: the class is the first folder below ``root``.
        part: All images, or those to train on, or those held out.
        held_out: Share of the images that are held out; each image by its own content, so about this share.
        seed: Another seed holds out other images.
        resize: Shorter side in pixels to which images are shrunk (antialiased) when they are decoded; smaller
            images are kept as they are. Without it, images keep their size.
        duplicates: ``keep`` and report them, or ``drop`` all but the first of each.
        cache: ``auto``: decoded images are written to the recipe's ``loader.cache`` folder only where memory does
            not hold them; ``always``: in any case, so that later runs need not decode again.
        listing: ``kept``: of a folder of 10,000 images or more, the names are kept beside decoded images,
            and folders that have not changed since are not read again; ``anew``: every folder is read.
    """

    def __init__(
        self,
        *,
        root: str,
        folders: list[str] | None = None,
        listed: str | None = None,
        labels: Literal["none", "folder"] = "none",
        part: Literal["all", "train", "held_out"] = "all",
        held_out: Annotated[float, Gt(0), Lt(1)] = 0.1,
        seed: Annotated[int, Ge(0)] = 0,
        resize: Annotated[int, Ge(8)] | None = None,
        duplicates: Literal["keep", "drop"] = "keep",
        cache: Literal["auto", "always"] = "auto",
        listing: Literal["kept", "anew"] = "kept",
    ) -> None:
        self.root = Path(os.path.abspath(Path(root).expanduser()))
        self.folders = folders
        self.listed = None if listed is None else Path(os.path.abspath(Path(listed).expanduser()))
        self.part = part
        self.share = held_out
        self.seed = seed
        self.resize = resize
        self.duplicates = duplicates
        self.cache = cache
        self.keeps_listing = listing == "kept"
        self.label = LabelSpec(kind="class" if labels == "folder" else None)
        self._folder: Folder | None = None
        self._rows: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._labels: npt.NDArray[np.int64] | None = None

    def missing(self) -> str | None:
        """The root, or one of ``folders``, is not there or is no folder."""
        for name in self.folders or ():
            if os.path.isabs(name) or os.path.normpath(name).split(os.sep)[0] == os.pardir:
                return f"`folders` names folders below `root`, and {name} is none"
        for path in (self.root, *(self.root / name for name in self.folders or ())):
            if os.path.isfile(path):
                archive = " (unpack it first)" if path.suffix in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar") else ""
                return f"{path} is a file; set `root` to the folder that holds the images{archive}"
            if not os.path.isdir(path) and path != self.root:
                there = ", ".join(sorted(one.name for one in self.root.iterdir() if one.is_dir())) or "no folder"
                return f"`folders` names {path.name}, which is not in {self.root}; it holds {there}"
            if not os.path.isdir(path):
                return f"there is no folder {path}; set `root` to your folder of images (data.NAME.root=PATH)"
        if self.listed is not None and not self.listed.is_file():
            return f"there is no file {self.listed}; set `listed` to a CSV file with a column `path`"
        return None

    def open(self, context: OpenContext) -> DataReport:
        """Decode the folder, unless another data set of this process or an earlier run has.

        Raises:
            UserError: No image in it, none that can be read, none in this part, or no class for a label.
        """
        listing = self._listing(context)
        if not listing.files and not listing.faults:
            raise UserError(nothing_found(str(self.root), listing))
        classes = self._classes(listing) if self.label.kind == "class" else []
        folder = read_folder(self.root, listing, self.resize, context, keep=self.cache == "always")
        facts = folder.decoded.facts
        if not len(facts.rows):
            raise UserError(nothing_readable(str(self.root), folder.faults))
        self._folder = folder
        self._rows = self._chosen(folder.originals, facts.file_digests)
        found = report(folder, self._rows)
        if self.label.kind is None:
            return found
        number = {name: label for label, name in enumerate(classes)}
        self._labels = np.array([number[_top(path)] for path in self.paths()], dtype=np.int64)
        self.label = LabelSpec(kind="class", classes=tuple(readable(name) for name in classes))
        note = (
            f"all images are of one class, {readable(classes[0])}" if len(classes) == 1 else f"{len(classes)} classes"
        )
        return DataReport([*found.notes, note], found.tables)

    def _listing(self, context: OpenContext) -> Listing:
        """The files to decode; known without decoding."""
        listing = list_folder(self.root, self.folders, context if self.keeps_listing else None)
        return listing if self.listed is None else only_listed(listing, self.listed, self.root)

    def _chosen(self, original: npt.NDArray[np.int64], file_digests: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        everything = np.arange(len(original))
        chosen = np.ones(len(original), bool)
        if self.part != "all":
            chosen = held_out(original, file_digests, self.share, self.seed) == (self.part == "held_out")
        if self.duplicates == "drop":
            chosen &= original == everything
        if not chosen.any():
            raise UserError(
                f"none of the {len(original)} images in {self.root} falls to part {self.part} "
                f"with held_out {self.share}; change `held_out` or `seed`, or add images"
            )
        return everything[chosen]

    def _classes(self, listing: Listing) -> list[str]:
        """The first folders below the root that hold images, of all parts alike."""
        loose = [path for path in listing.files.paths if "/" not in path]
        if loose:
            raise UserError(
                f"with labels: folder the class is the first folder below {self.root}, but {len(loose)} images lie in "
                f"it directly, such as {readable(loose[0])}; move them into class folders, or set labels: none"
            )
        classes = sorted({_top(path) for path in listing.files.paths})
        if len(classes) > 1 and _SPLITS.issuperset(name.lower() for name in classes):
            raise UserError(
                f"with labels: folder the classes of {self.root} would be {', '.join(classes)}; "
                f"these are parts of a data set: set `root` one level deeper, such as {self.root / classes[0]}"
            )
        return classes

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        """The image at ``index``, as it was decoded; no copy is made where it lies in memory."""
        index = range(len(self._rows))[index]
        assert self._folder is not None
        row = int(self._rows[index])
        label = None if self._labels is None else int(self._labels[index])
        return Sample(self._folder.image(row), index, label=label, path=self._folder.path(row))

    def batch(self, indices: Sequence[int]) -> Tensor | list[Tensor]:
        """The images at ``indices``, by one gather where they are of one size."""
        assert self._folder is not None
        return self._folder.decoded.images.batch(self._rows[list(indices)])

    def labels(self) -> npt.NDArray[np.int64] | None:
        """[len] class numbers with ``labels: folder``, else None."""
        return self._labels

    def paths(self) -> list[str]:
        """[len] the images' paths relative to the root."""
        assert self._folder is not None
        return [self._folder.path_of(row) for row in self._rows.tolist()]

    def facts(self, name: str) -> list[str] | None:
        """[len] the relative ``path`` of each image; nothing else is known of a folder."""
        return self.paths() if name == "path" and self._folder is not None else None

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """[len, 2] height and width after ``resize``, once the folder is open."""
        return None if self._folder is None else self._folder.sizes[self._rows]

    def digests(self) -> npt.NDArray[np.uint64] | None:
        """[len] a hash of each file, once the folder is open."""
        return None if self._folder is None else self._folder.decoded.facts.file_digests[self._rows]


def _top(path: str) -> str:
    """The first folder on a relative path."""
    return path.partition("/")[0]
