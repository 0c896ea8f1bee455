"""Images that are handed over in Python."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from rankhub.interfaces.data import DataReport, Dataset, GivenData, LabelKind, LabelSpec, OpenContext, Sample
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.options import Ge
from rankhub_data.folder_report import remarked, size_range
from rankhub_data.given_files import read_files
from rankhub_data.given_images import AS_IS, GivenItems, Limits, check, size
from rankhub_data.given_labels import (
    GivenLabels,
    as_list,
    first_kind,
    is_missing,
    kind_of,
    lay_points,
    plain,
    read_labels,
)
from rankhub_data.image_folder import ImageFolder
from rankhub_data.reading import Folder, Sizes
from rankhub_points import PointLabels

FOLDER, GIVEN = "rankhub_data/image_folder", "rankhub_data/from_python"
"""How recipes name them."""

_SEEN = 256
"""Images of a data set of torch after which its progress is told."""


class FromPython(GivenData):
    """Images, with labels or without, that a program hands over: rankhub.train(..., data={NAME: images}).

    No file can hold them, so a run that began with them goes on with the same ones only:
    ``rankhub.resume(PATH, data={NAME: images})``.

    An image is a path; a PIL image; an array [H, W, 3] or [H, W]; a tensor [3, H, W] or [1, H, W]; arrays and tensors
    being RGB or grey, uint8 or floats in [0, 1]. Several are a stack [n, H, W, 3] of an array or [n, 3, H, W] of a
    tensor, a list, or anything else with a length and items, such as a data set of torch, whose items are images or
    pairs (image, label). Files are decoded as the images of a folder are; files and PIL images are turned upright by
    EXIF, arrays and tensors are taken as they are. Labels are those of the items, or in a pair ``(images, labels)`` as
    many class numbers or names, scores, or arrays [n, 2] of points (x, y in pixels from the top left corner of the
    upright image). A folder is all images below it.

    In training, files are decoded once, as those of ``image_folder`` are, and stay in memory, or in a memory-mapped
    file where they would exceed the recipe's ``loader.memory_limit_gb``. Everything else is taken from where it is
    whenever it is asked for, and copied; the items of a data set of torch must be the same each time, so it may draw
    nothing at random. Points up to a pixel outside their image are moved to its edge; those further out are an error.

    Args:
        kind: What labels are where that is open: whole numbers are a ``class``, or a ``score``.
        higher_is_better: Whether a higher score is the better one (as MOS) or the worse one (as DMOS).
        range: Lowest and highest possible score; one outside is an error.
        unit: What a score is called in reports, such as MOS; or what points count, such as people.
        resize: Shorter side in pixels to which images are shrunk (antialiased), and points with them; smaller images
            are kept as they are. Without it, images keep their size.
        max_side: Longer side in pixels, in the same way; with both, the smaller of the two sizes is taken.
        given: What was handed over, as it is written down in a run: the number of images, and a digest of their names
            or sizes and of their labels.
    """

    def __init__(
        self,
        *,
        kind: LabelKind | None = None,
        higher_is_better: bool = True,
        range: tuple[float, float] | None = None,
        unit: str = "",
        resize: Annotated[int, Ge(8)] | None = None,
        max_side: Annotated[int, Ge(32)] | None = None,
        given: str = "",
    ) -> None:
        if range is not None and not range[0] < range[1]:
            raise Objection(f"`range` takes the lowest and then the highest score, not {list(range)}")
        self.label = _spec(kind, higher_is_better, range, unit)
        self.limits: Limits = (resize, max_side)
        self.given = given
        self._items: GivenItems | None = None
        self._beside: list[Any] | None = None
        """Labels that were given beside the images."""
        self._labels: GivenLabels | None = None
        self._sizes: Sizes | None = None
        self._sources: Sizes | None = None
        """Sizes before shrinking, where they were met on the way."""
        self._files: tuple[Folder, Sizes] | None = None
        """Those that were decoded, and [n] of each image its row among them, -1 where it is no file."""

    def missing(self) -> str | None:
        """One sentence until images are given, else None."""
        if self._items is not None:
            return None
        return "its images were handed over in Python, which no file can hold; hand them over again: data={NAME: ...}"

    @classmethod
    def take(
        cls,
        value: Any,
        options: Mapping[str, Any],
        build: Callable[[Mapping[str, Any]], Any],
        *,
        labeled: bool = False,
        first: int = 0,
    ) -> tuple[Dataset, Mapping[str, Any]]:
        """A data set of what is handed over: of one as it is, of a folder, or of images; and how a recipe writes it.

        Raises:
            UserError: It cannot be taken.
        """
        own = {name: option for name, option in options.items() if name in signature(cls).parameters}
        if isinstance(value, Dataset):
            return value, {"use": GIVEN, **own, **_meaning(value.label)}
        if isinstance(value, str | Path) and Path(value).expanduser().is_dir():
            both = {name: option for name, option in own.items() if name in signature(ImageFolder).parameters}
            spec = {"use": FOLDER, **both, "root": os.path.abspath(Path(value).expanduser())}
            return build(spec), spec
        made: FromPython = build({"use": GIVEN, **own})
        made.give(value, labeled=labeled, first=first)
        return made, {"use": GIVEN, **made.options()}

    def give(self, value: Any, *, labeled: bool = False, first: int = 0) -> None:
        """Take images; without ``labeled``, a pair is two images, and labels of items are passed over.

        Raises:
            UserError: They cannot be taken.
        """
        pair = labeled and isinstance(value, tuple) and len(value) == 2
        images, labels = value if pair else (value, None)
        items = GivenItems.of(images, first, self.limits)
        beside, kind = None if labels is None else as_list(labels, len(items)), None
        if labeled and beside is None:
            beside, kind = self._beside_items(items)
        if beside is not None:
            kind = first_kind(beside, self.label.kind)
        own = self.label
        label = _spec(kind, own.higher_is_better, own.range, own.unit)
        if beside is not None and kind != "points":
            read_labels(beside, label)  # which says what is wrong with them
        self._items, self._beside, self.one, self.label = items, beside, items.one, label
        self._labels = self._files = self._sizes = self._sources = None
        self.given = f"{len(items)} images, {self._digest(items)}"

    def _beside_items(self, items: GivenItems) -> tuple[list[Any] | None, LabelKind | None]:
        """The labels of items that are held; of those that are made one by one what the first ones tell: the kind."""
        for number in range(0 if items.held else len(items)):
            image, *label = items.parts(number)
            if number == 0:
                items.pixels(number, image)
            if not label:
                return None, None
            if not is_missing(label[0]):
                return None, kind_of(label[0], self.label.kind, f"the label of images[{number}]")
        paired = items.held and len(items.parts(0)) == 2
        return [items.label(number) for number in range(len(items))] if paired else None, None

    def _digest(self, items: GivenItems) -> str:
        """Of names, or sizes, and labels, where they are at hand; not of pixels."""
        digest = hashlib.blake2b(digest_size=6)
        for number in range(len(items)) if items.held else ():
            image = items.image(number)
            shape = getattr(image, "shape", getattr(image, "size", None))
            facts = (os.path.basename(items.paths[number]), shape and tuple(shape))
            digest.update(repr(facts).encode("utf-8", "replace"))
        digest.update(repr([_written(label) for label in self._beside or ()]).encode("utf-8", "replace"))
        return digest.hexdigest()

    def options(self) -> Mapping[str, Any]:
        """All options, as a recipe writes them."""
        return {**_meaning(self.label), "resize": self.limits[0], "max_side": self.limits[1], "given": self.given}

    def open(self, context: OpenContext) -> DataReport:
        """Decode what are files, unless they were in this process or an earlier run, and read the labels.

        Raises:
            UserError: An image or a label cannot be taken; says which.
        """
        items = self._ready()
        labels = self._beside
        for number in range(len(items)) if items.held else ():
            if isinstance(items.image(number), Image.Image):
                items.image(number).load()  # here, since a PIL image may not be loaded by two threads at once
        self._files = read_files(items, context)
        if self.label.kind is not None and labels is None:
            labels = self._pass_over(items, context)
        if labels is not None:
            self._labels = self._read_labels(items, labels)
            self.label = self._labels.spec
        return DataReport(list(self._notes(items)))

    def _pass_over(self, items: GivenItems, context: OpenContext) -> list[Any]:
        """The labels of items that are made one by one, with a look at each image."""
        labels: list[Any] = []
        sizes = np.zeros((2, len(items), 2), dtype=np.int64)
        for number in range(len(items)):
            labels.append(items.label(number))
            image = items.image(number)
            name = items.name(number, image)
            check(image, name)
            sizes[:, number] = size(image, name, AS_IS), size(image, name, self.limits)
            if number % _SEEN == 0 or number + 1 == len(items):
                context.progress(number + 1, len(items), "reading labels")
        self._sources, self._sizes = sizes
        return labels

    def _read_labels(self, items: GivenItems, labels: Sequence[Any]) -> GivenLabels:
        if self.label.kind != "points":
            return read_labels(labels, self.label)
        served = self.sizes()
        assert served is not None
        sources = served if self.limits == AS_IS else self._sources
        if sources is None:
            sources = np.array([self._size(number, shrunk=False) for number in range(len(items))])
        return lay_points(labels, self.label, sources, served, [items.name(n) for n in range(len(items))])

    def _size(self, number: int, *, shrunk: bool = True) -> tuple[int, int]:
        if self._files is None or (row := self._files[1][number]) < 0:
            return self._ready().size(number, shrunk=shrunk)
        folder = self._files[0]
        height, width = (folder.sizes if shrunk else folder.source_sizes)[row].tolist()
        return height, width

    def _notes(self, items: GivenItems) -> Iterator[str]:
        sizes = self.sizes() if items.held or self._sizes is not None else None
        count = "one image" if len(items) == 1 else f"{len(items):,} images"
        yield f"{count} given in Python{'' if sizes is None else f', {size_range(sizes)}'}"
        if self._labels is not None:
            yield self._labels.note
        if not items.held and not np.array_equal(items.pixels(0), items.pixels(0)):
            yield (
                "images[0] was not the same when it was asked for again: leave out what draws at random (views are "
                "drawn by the recipe), or the run cannot be repeated"
            )
        if self._files is not None:
            yield from remarked(self._files[0].decoded.facts.remarks)
            yield from self._files[0].where_kept()

    def _ready(self) -> GivenItems:
        if self._items is None:
            raise UserError(str(self.missing()))
        return self._items

    def __len__(self) -> int:
        return 0 if self._items is None else len(self._items)

    def __getitem__(self, index: int) -> Sample:
        """The image at ``index``, with its label once the data set is open."""
        items = self._ready()
        index = range(len(items))[index]
        if self._files is None or (row := int(self._files[1][index])) < 0:
            image = torch.from_numpy(items.pixels(index))
        else:
            image = self._files[0].image(row)
        label = None if self._labels is None else self._labels.label(index)
        path = items.paths[index]
        return Sample(image, index, label, Path(path) if path else None)

    def batch(self, indices: Sequence[int]) -> Tensor | Sequence[Tensor]:
        """The images at ``indices``; of files that were decoded, of one size, by one gather."""
        rows = None if self._files is None else self._files[1][list(indices)]
        if self._files is None or rows is None or (rows < 0).any():
            return super().batch(indices)
        return self._files[0].decoded.images.batch(rows)

    def labels(self) -> npt.NDArray[np.int64] | npt.NDArray[np.float64] | None:
        """[len] class numbers, turned scores or numbers of points, once the data set is open; None without labels."""
        return None if self._labels is None else self._labels.values

    def points(self) -> Sequence[npt.NDArray[np.float64]] | None:
        """The points [n, 3] of each image, once the data set is open; None for other labels."""
        return None if self._labels is None else self._labels.points

    def facts(self, name: str) -> Sequence[str] | None:
        """[len] ``path`` of each image as it was given; empty for what is no file."""
        known = name == "path" and self._items is not None and any(self._items.paths)
        return self._items.paths if known and self._items is not None else None

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """[len, 2] height and width after shrinking; None of a data set of torch that was not read.

        Before the data set is open, those of files are read from their first bytes, without decoding.
        """
        items = self._items
        if items is None or (self._sizes is None and not items.held):
            return None
        if self._sizes is None:
            self._sizes = np.array([self._size(number) for number in range(len(items))], dtype=np.int64)
        return self._sizes

    def digests(self) -> npt.NDArray[np.uint64] | None:
        """[len] a hash of each file, or of some thousand values of an array, once open; None of a data set of torch."""
        items = self._items
        if items is None or not items.held:
            return None
        if self._files is None:
            return np.array([items.digest(number) for number in range(len(items))], dtype=np.uint64)
        folder, rows = self._files
        found = [folder.digests[row] if row >= 0 else items.digest(n) for n, row in enumerate(rows.tolist())]
        return np.array(found, dtype=np.uint64)


def _spec(kind: LabelKind | None, higher_is_better: bool, range: tuple[float, float] | None, unit: str) -> LabelSpec:
    return (PointLabels if kind == "points" else LabelSpec)(kind, higher_is_better, range, unit)


def _meaning(label: LabelSpec) -> dict[str, Any]:
    """What labels mean, as options."""
    bounds = None if label.range is None else list(label.range)
    return {"kind": label.kind, "higher_is_better": label.higher_is_better, "range": bounds, "unit": label.unit}


def _written(label: Any) -> Any:
    """A label as text, for the digest of what was given."""
    value = plain(label)
    return value.tolist() if isinstance(value, np.ndarray) else value
