"""COCO's photos in the layout in which its archives unpack."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from rankhub.interfaces.data import DataReport, OpenContext
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import Ge
from rankhub_data.image_folder import ImageFolder
from rankhub_listing.scan import Listing

_COUNTS = {"train2017": 118_287, "val2017": 5_000, "unlabeled2017": 123_403}
_ARCHIVES_GB = {"train2017": 18, "val2017": 1, "unlabeled2017": 19}
_ARCHIVES_AT = "http://images.cocodataset.org/zips"


class Coco(ImageFolder):
    """The photos of COCO (Lin et al.: Microsoft COCO, ECCV 2014): everyday scenes of several objects.

    No label is given: an image has no single class. The images are those that lie in the split's folder, so the
    annotations (half a gigabyte, which name the same files) need not be there. A folder that holds fewer images than
    the split is used, and said to be incomplete.

    Images are decoded and kept as those of ``image_folder`` are.

    Not tried on the released files: folders and numbers of images are as COCO's web page states them.

    Args:
        root: The folder that holds ``train2017/``, ``val2017/`` or ``unlabeled2017/`` (or ``images/`` with these), or
            that of the split itself. Relative paths start at the current directory.
        split: ``train2017`` (118,287 images), ``val2017`` (5,000) or ``unlabeled2017`` (123,403).
        resize: Shorter side in pixels to which images are shrunk (antialiased) when they are decoded; the originals'
            longer side is 640.
        images: Only so many images, drawn once by their names: the same on every machine, and a smaller subset is
            part of a larger one.
        seed: Another seed draws other images.
    """

    def __init__(
        self,
        *,
        root: str = "data/coco",
        split: Literal["train2017", "val2017", "unlabeled2017"] = "train2017",
        resize: Annotated[int, Ge(8)] | None = None,
        images: Annotated[int, Ge(2)] | None = None,
        seed: Annotated[int, Ge(0)] = 0,
        duplicates: Literal["keep", "drop"] = "keep",
        cache: Literal["auto", "always"] = "auto",
        listing: Literal["kept", "anew"] = "kept",
    ) -> None:
        super().__init__(root=root, resize=resize, seed=seed, duplicates=duplicates, cache=cache, listing=listing)
        self.given = self.root
        self.split = split
        self.images = images
        self._found = 0

    @property
    def folder(self) -> Path:
        """Absolute; where the images of the split are looked for."""
        folders = [self.given / self.split, self.given / "images" / self.split]
        if self.given.name == self.split:
            folders.append(self.given)
        return next((folder for folder in folders if folder.is_dir()), folders[0])

    def missing(self) -> str | None:
        """The split's folder is not there: where it was looked for, and what to download or unpack."""
        if self.folder.is_dir():
            return None
        above = self.folder.parent
        archive = above / f"{self.split}.zip"
        if archive.is_file():
            return f"COCO's {self.split} is not unpacked: `unzip -q {archive} -d {above}`"
        return (
            f"COCO's {self.split} is not in {self.folder}; download {_ARCHIVES_AT}/{self.split}.zip "
            f"({_ARCHIVES_GB[self.split]} GB) and unpack it in {above}, or set `root` to where it is"
        )

    def open(self, context: OpenContext) -> DataReport:
        """Decode the split, unless another data set of this process or an earlier run has.

        Raises:
            UserError: No image in the folder, none that can be read, or fewer than ``images``.
        """
        self.root = self.folder
        report = super().open(context)
        whole = _COUNTS[self.split]
        if self._found >= whole:
            return report
        note = f"{self.root} holds {self._found:,} images, COCO's {self.split} has {whole:,}: it is not complete"
        return DataReport([*report.notes, note], report.tables)

    def _listing(self, context: OpenContext) -> Listing:
        listing = super()._listing(context)
        self._found = len(listing.files)
        if self.images is None or not listing.files:
            return listing
        if self.images > self._found:
            raise UserError(f"{self.root} holds {self._found:,} images, fewer than `images: {self.images}`")
        numbers = [_draw(self.seed, path) for path in listing.files.paths]
        drawn = sorted(range(self._found), key=numbers.__getitem__)[: self.images]
        return replace(listing, files=listing.files.chosen(sorted(drawn)))


def _draw(seed: int, path: str) -> bytes:
    """A number for each image: a pure function of its name and the seed."""
    name = path.rpartition("/")[2]
    return hashlib.blake2b(f"{seed} {name}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
