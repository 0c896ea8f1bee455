"""Images in a Lance table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import Ge, Gt
from rankhub_data.folder_report import size_range
from rankhub_data.meaning import measured
from rankhub_lance import BlockCache, Rows, Store, open_table
from rankhub_lance.table import EXTRA, is_installed
from rankhub_pack.decoding import Decoder
from rankhub_pack.layout import FACTS, About, check_whole, read_about
from rankhub_points import PointLabels

Ints = npt.NDArray[np.int64]

_AHEAD = 64
"""Rows that are fetched together once they are asked for one after the other."""


class LanceTable(Dataset):
    """Images in a Lance table, on a disk or in an object store: rows are fetched by their numbers, many at a time.

    Needs the extra: pip install 'rankhub[lance]'. `rankhub pack` makes such a table of a folder, or of any data set.
    Another table does too, if it has a column of encoded images. Nothing is read at opening but a few numbers a row, so
    that a million rows open in seconds. A run keeps the version of the table that it began with: rows that are added
    later are seen by later runs only.

    Images are decoded whenever they are asked for, in threads, unless they were packed as pixels (`rankhub pack
    --resize`). Blocks of neighbouring rows of an object store are kept on this machine's disk; a stream whose `block`
    is a multiple of `block` here asks for neighbours together, so that each block is fetched once an epoch, however
    small the cache is.

    Args:
        uri: The table: a path, or an address such as ``s3://bucket/photos.lance``.
        labels: What the table's labels are, which a recipe's check has to know before the table is read.
        where: Only rows for which this condition of SQL holds, such as ``split = 'train'``.
        version: Of the table; without it, the newest when a run begins, which is then written into the run.
        image: The column that has the images.
        label: The column that has the labels.
        resize: Shorter side in pixels to which images are shrunk (antialiased) when they are decoded; smaller images
            stay as they are. Not for points, which are packed at their size: `rankhub pack --resize`.
        storage_options: Of the object store, such as ``aws_endpoint``. Keys come from the environment
            (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``).
        patience: Seconds for which a store that does not answer is asked again.
        cache: Whether blocks of rows are kept in the recipe's ``loader.cache`` folder; ``auto``: of an object store.
        cache_gb: How much they may take; those that were used longest ago are removed.
        block: Neighbouring rows that are fetched and kept together.
    """

    def __init__(
        self,
        *,
        uri: str,
        labels: Literal["none", "class", "score", "points"] = "none",
        where: str | None = None,
        version: Annotated[int, Ge(1)] | None = None,
        image: str = "image",
        label: str = "label",
        resize: Annotated[int, Ge(8)] | None = None,
        storage_options: dict[str, str] | None = None,
        patience: Annotated[float, Ge(0)] = 120.0,
        cache: Literal["auto", "always", "never"] = "auto",
        cache_gb: Annotated[float, Gt(0)] = 20.0,
        block: Annotated[int, Ge(1)] = 256,
    ) -> None:
        self.store = Store.of(uri, storage_options, patience)
        self.condition, self.version, self.resize = where, version, resize
        self.image_column, self.label_column = image, label
        self.keeps = cache == "always" or (cache == "auto" and self.store.remote)
        self.limit, self.block = int(cache_gb * 1e9), block
        self.label = PointLabels() if labels == "points" else LabelSpec(None if labels == "none" else labels)
        self._rows: Rows | None = None
        self._numbers: Ints | None = None
        """Of the rows that are served; None = all."""
        self._count, self._about = 0, About()
        self._ahead: tuple[int, Any] = (0, None)
        self._last = -2

    forks = False
    """Lance's threads do not survive a fork: workers are spawned."""

    def missing(self) -> str | None:
        """Where there is no such table on the disk, or pylance is not installed."""
        if not is_installed():
            return EXTRA
        if not self.store.remote and not Path(self.store.uri.removeprefix("file://")).is_dir():
            return f"there is no table {self.store.uri}; make it: rankhub pack FOLDER --to {self.store.uri}"
        return None

    def open(self, context: OpenContext) -> DataReport:
        """Open the table at its version; of labels that are numbers, their column is read.

        Raises:
            UserError: It is not there, is packed at this time, lacks a column, or has other labels; or no row is left.
        """
        table = open_table(self.store, self.version)
        if self.version is None:
            check_whole(table, self.store.uri, ", or name an earlier state of it (version)")
        names = table.schema.names
        about = read_about(table.schema.metadata, self.store.uri)
        self._about = about or About()
        self._check(names, about)
        columns = [self.image_column, *(name for name in self._of_a_sample if name in names)]
        blocks = BlockCache(context.cache / "lance", self.limit) if self.keeps else None
        rows = self._rows = Rows(self.store, int(table.version), columns, blocks, self.block)
        self._numbers = None if self.condition is None else rows.where(self.condition)
        self._count = len(rows) if self._numbers is None else len(self._numbers)
        if not self._count:
            said = "it is empty" if self.condition is None else f"there is none where {self.condition}"
            raise UserError(f"no row of the table {self.store.uri} is left: {said}")
        self._decoder = Decoder(self.store.uri, self._about.pixels, self.resize)
        self.label = self._measured()
        return DataReport(list(self._notes(len(rows))))

    @property
    def _of_a_sample(self) -> tuple[str, ...]:
        """Columns that a sample needs beside its image."""
        own = ("height", "width") if self._about.pixels else ()
        labels = {None: (), "points": ("points",)}.get(self.label.kind, (self.label_column,))
        return (*own, *labels, *FACTS, "meta")

    def _check(self, names: Sequence[str], about: About | None) -> None:
        """See that the table has what the recipe says of it."""
        wanted = [self.image_column, *([self.label_column] if self.label.kind not in (None, "points") else [])]
        for name in [*wanted, *(["points"] if self.label.kind == "points" else [])]:
            if name not in names:
                own = f"; its labels are of kind {about.kind}" if about is not None and about.kind else ""
                raise UserError(
                    f"the table {self.store.uri} has no column {name!r}, it has {', '.join(names)}{own}; see `labels`, "
                    "`image` and `label` of the data set lance"
                )
        kind, own_label = self.label.kind, self.label_column == "label"
        if about is not None and kind is not None and own_label and about.kind != kind:
            raise UserError(
                f"the labels of the table {self.store.uri} are of kind {about.kind}, not {kind}; set `labels`"
            )
        if self.resize is not None and (self._about.pixels or kind == "points"):
            raise UserError(
                f"`resize` is not for the table {self.store.uri}, whose "
                + ("images are pixels already" if self._about.pixels else "points lie in images of the packed size")
                + "; pack it with --resize"
            )

    def _measured(self) -> LabelSpec:
        """The labels as they are: direction and names by the table, mean and deviation by those that are served."""
        own, kind = self._about, self.label.kind
        if kind is None:
            return self.label
        found = replace(self.label, higher_is_better=own.higher_is_better, range=own.range, unit=own.unit)
        if kind == "class":
            return replace(found, classes=self._classes)
        self.label = found
        values = cast(npt.NDArray[Any], self.labels()).astype(np.float64)
        found = measured(found, values)
        if kind == "points" and (sizes := self.sizes()) is not None:
            found = replace(found, density=float(values.sum() / sizes.prod(axis=1).sum()))
        return found

    def _notes(self, every: int) -> Iterator[str]:
        rows = cast(Rows, self._rows)
        chosen = "" if self.condition is None else f", {self._count:,} of them where {self.condition}"
        sizes = self.sizes()
        how_large = "" if sizes is None else f", {size_range(sizes)}"
        yield f"{self.store.uri}, version {rows.version}: {every:,} images{chosen}{how_large}"
        if self.keeps:
            yield (
                f"blocks of {self.block} rows are kept below {cast(BlockCache, rows.blocks).folder}, at most "
                f"{self.limit / 1e9:g} GB; the folder may be deleted at any time"
            )

    def pinned(self) -> dict[str, Any]:
        """The version, where the recipe leaves it open."""
        return {"version": self._rows.version} if self.version is None and self._rows is not None else {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        """The image at ``index`` with its label and facts; asked for one after the other, rows are fetched together."""
        index = range(self._count)[index]
        start, fetched = self._ahead
        if fetched is None or not start <= index < start + len(fetched):
            many = _AHEAD if index == self._last + 1 else 1
            start = index
            fetched = self._take(np.arange(index, min(index + many, self._count)))
            self._ahead = start, fetched
        self._last = index
        row = fetched.slice(index - start, 1)
        number = self._number(np.array([index]))
        meta = {name: value for name in FACTS if name in row.column_names and (value := row.column(name)[0].as_py())}
        if "meta" in row.column_names and (more := row.column("meta")[0].as_py()):
            meta = {**json.loads(more), **meta}
        return Sample(self._decoder(row, self.image_column, number.tolist())[0], index, self._label(row), meta=meta)

    def _label(self, row: Any) -> Any:
        kind = self.label.kind
        if kind is None:
            return None
        if kind == "points":
            return np.array(row.column("points")[0].as_py() or [], dtype=np.float64).reshape(-1, 3)
        value = row.column(self.label_column)[0].as_py()
        if value is None:
            return None
        if kind == "class":
            return self._class_numbers[value] if isinstance(value, str) else int(value)
        return float(self.label.turned(np.array([value], dtype=np.float64))[0])

    def batch(self, indices: Sequence[int]) -> Tensor | list[Tensor]:
        """The images at ``indices``, fetched together."""
        which = np.asarray(indices, dtype=np.int64)
        return self._decoder(self._take(which), self.image_column, self._number(which).tolist())

    def _number(self, indices: Ints) -> Ints:
        return indices if self._numbers is None else self._numbers[indices]

    def _take(self, indices: Ints) -> Any:
        return cast(Rows, self._rows).take(self._number(indices))

    def _column(self, *names: str) -> Any:
        """Columns of the rows that are served, as a ``pyarrow.Table``; None where there is one that the table lacks."""
        rows = self._rows
        if rows is None or not set(names) <= set(rows.table.schema.names):
            return None
        found = rows.column(*names)
        return found if self._numbers is None else found.take(self._numbers)

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        """Names of the classes: those of the packing, or the distinct texts of the label's column."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self._about.classes or self._rows is None:
            return self._about.classes
        column = self._rows.column(self.label_column).column(0)
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            return ()
        return tuple(sorted(name for name in pc.unique(column).to_pylist() if name is not None))

    @cached_property
    def _class_numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self._classes)}

    @cached_property
    def _labels(self) -> npt.NDArray[np.int64] | npt.NDArray[np.float64] | None:
        import pyarrow.compute as pc

        kind, column = self.label.kind, self._column(self.label_column)
        if kind is None or column is None:
            return None
        values = column.column(0)
        if kind == "score":
            return self.label.turned(values.cast("float64").to_numpy(zero_copy_only=False).astype(np.float64))
        if kind == "class" and self._class_numbers and "string" in str(values.type):
            values = pc.index_in(values, value_set=_texts(self._classes))
        return np.asarray(values.cast("int64").fill_null(-1).to_numpy())

    def labels(self) -> npt.NDArray[np.int64] | npt.NDArray[np.float64] | None:
        """[len] class numbers (-1 where there is none), turned scores (NaN) or numbers of points, by their column."""
        return None if self._rows is None else self._labels

    @cached_property
    def _points(self) -> list[npt.NDArray[np.float64]]:
        column = self._column("points").column(0).combine_chunks()
        values, ends = column.values.to_numpy(), column.offsets.to_numpy()
        return [values[start:stop].reshape(-1, 3) for start, stop in pairwise(ends)]

    def points(self) -> Sequence[npt.NDArray[np.float64]] | None:
        """The points [n, 3] of each image, by their column; None for other labels."""
        return self._points if self.label.kind == "points" and self._rows is not None else None

    def folds(self) -> list[npt.NDArray[np.int64]] | None:
        """Positions of each fold's images, where what was packed has folds and all its images are served."""
        column = self._column("folds") if self._numbers is None else None
        if column is None or column.column(0).null_count == len(column):
            return None
        listed = column.column(0).combine_chunks()
        ends = listed.offsets.to_numpy()
        owner, fold = np.repeat(np.arange(len(listed)), np.diff(ends)), listed.values.to_numpy()
        return [owner[fold == number] for number in range(int(fold.max()) + 1)]

    def facts(self, name: str) -> Sequence[str] | None:
        """[len] ``path``: what images were called where they were packed; ``reference``, ``kind``: where known."""
        column = self._column({"path": "id"}.get(name, name)) if name in ("path", *FACTS) else None
        if column is None or column.column(0).null_count == len(column):
            return None
        found: list[str] = column.column(0).fill_null("").to_pylist()
        return found

    @cached_property
    def _sizes(self) -> npt.NDArray[np.int64] | None:
        column = self._column("height", "width")
        if column is None:
            return None
        sizes = np.stack([column.column(side).to_numpy().astype(np.int64) for side in ("height", "width")], axis=1)
        short = sizes.min(axis=1, keepdims=True)
        if self.resize is None or not (short > self.resize).any():
            return sizes
        smaller = np.maximum(1, np.rint(sizes * self.resize / short)).astype(np.int64)
        return np.where(short > self.resize, smaller, sizes)

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """[len, 2] height and width of each image as it is served, by their columns."""
        return None if self._rows is None else self._sizes

    def digests(self) -> npt.NDArray[np.uint64] | None:
        """[len] a hash of what stands in each row, by its column."""
        column = self._column("digest")
        return None if column is None or column.column(0).null_count else column.column(0).to_numpy()


def _texts(names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.array(list(names), pa.string())
