"""What is packed: a folder of images, or a data set that a recipe could name."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

import rankhub
from rankhub import Talk, UserError
from rankhub.interfaces.data import Dataset, OpenContext
from rankhub.interfaces.files import readable
from rankhub_data.folder_report import nothing_found
from rankhub_data.reading import list_folder
from rankhub_listing.files import ImageFiles, UnusedImage
from rankhub_pack.layout import FACTS, About
from rankhub_pack.worker import FileTask, Row, row_of_sample
from rankhub_train.children import end_with_parent

T = TypeVar("T")

_FILES, _BYTES = 128, 1 << 23
"""Files, and bytes of them, that a process makes rows of at a time."""


class PackSource(Protocol):
    """Images with what is known of them, in an order that stays."""

    about: About
    said: str
    """What it is, by which a packing that was interrupted is known again."""

    def names(self) -> Sequence[str]:
        """[n] what the images are called; each has a name of its own."""

    def rows(self, which: Sequence[int], processes: int) -> Iterator[Row | UnusedImage]:
        """A row of each of these images in their order, or why there is none."""


class FolderSource:
    """All images below a folder.

    Args:
        root: It.
        classes: Whether the class is the first folder below it.
        resize: Shorter side to which images are shrunk, and kept as pixels.

    Raises:
        UserError: It cannot be listed, has no image, or has images without a class.
    """

    def __init__(self, root: Path, *, classes: bool, resize: int | None) -> None:
        self.root, self.resize = root, resize
        listing = list_folder(root, None)
        if not listing.files:
            raise UserError(nothing_found(str(root), listing))
        self.files: ImageFiles = listing.files
        self.faults = listing.faults
        self.number: dict[str, int] = {}
        if classes:
            loose = [path for path in self.files.paths if "/" not in path]
            if loose:
                raise UserError(
                    f"with --set labels=folder the class is the first folder below {root}, but {len(loose)} images lie "
                    f"in it directly, such as {readable(loose[0])}; move them into class folders"
                )
            tops = sorted({path.partition("/")[0] for path in self.files.paths})
            self.number = {name: number for number, name in enumerate(tops)}
        kind = "class" if classes else None
        names = tuple(readable(name) for name in self.number)
        self.about = About(kind, classes=names, pixels=resize is not None, resize=resize)  # type: ignore[arg-type]
        self.said = f"{root}, labels {'folder' if classes else 'none'}"

    def names(self) -> Sequence[str]:
        """Their paths below the folder."""
        return [readable(path) for path in self.files.paths]

    def rows(self, which: Sequence[int], processes: int) -> Iterator[Row | UnusedImage]:
        """By spawned processes, if there are to be several: what threads of Lance do does not survive a fork."""
        tasks = (FileTask(str(self.root), paths, self.resize) for paths in self._parts(which))
        for row in in_spawned(tasks, processes):
            if isinstance(row, dict):
                if self.number:
                    row["label"] = self.number[row["id"].partition("/")[0]]
                row["id"] = readable(row["id"])
            yield row

    def _parts(self, which: Sequence[int]) -> Iterator[list[str]]:
        part, size = list[str](), 0
        for number in which:
            file = self.files[number]
            part.append(file.path)
            size += file.size
            if len(part) == _FILES or size > _BYTES:
                yield part
                part, size = [], 0
        if part:
            yield part


class DatasetSource:
    """The images of a data set, with their labels and facts.

    Args:
        dataset: It, not open yet.
        said: As it is named.
        resize: Shorter side to which images are shrunk, and kept as pixels.
        context: In which it opens.
        talk: Where its notes are said.

    Raises:
        UserError: It is not there, cannot be used, or two images have one name.
    """

    def __init__(self, dataset: Dataset, said: str, *, resize: int | None, context: OpenContext, talk: Talk) -> None:
        if (missing := dataset.missing()) is not None:
            raise UserError(missing)
        for note in dataset.open(context).notes:
            talk.note(note)
        talk.finish()
        self.dataset, self.said, self.resize = dataset, said, resize
        self.faults: Sequence[UnusedImage] = ()
        label = dataset.label
        facts = label.kind, label.higher_is_better, label.range, label.unit, label.classes
        self.about = About(*facts, pixels=resize is not None, resize=resize)
        paths = dataset.facts("path")
        given = [f"{number:09d}" for number in range(len(dataset))] if paths is None else map(readable, paths)
        self._names = list(given)
        if len(set(self._names)) < len(self._names):
            self._names = [f"{number:09d}/{name}" for number, name in enumerate(self._names)]
        self._known = {name: dataset.facts(name) for name in FACTS}
        self._folds: dict[int, list[int]] = {}
        for fold, rows in enumerate(dataset.folds() or ()):
            for row in rows.tolist():
                self._folds.setdefault(row, []).append(fold)

    def names(self) -> Sequence[str]:
        """Their paths in the data set's folder; else numbers."""
        return self._names

    def rows(self, which: Sequence[int], processes: int) -> Iterator[Row | UnusedImage]:
        """By as many threads, since images of a data set lie in this process."""
        tasks = (partial(self._row, number) for number in which)
        return map(_call, tasks) if processes == 1 else _in_order(ThreadPoolExecutor(processes), tasks, 4 * processes)

    def _row(self, number: int) -> Row:
        sample = self.dataset[number]
        row = row_of_sample(self._names[number], sample, self.resize)
        if self.about.kind == "class":
            row["label"] = None if sample.label is None or sample.label < 0 else int(sample.label)
        elif self.about.kind == "score" and sample.label is not None and not np.isnan(sample.label):
            own = self.dataset.label.turned(np.array([sample.label], dtype=np.float64))
            row["label"] = float(own[0])
        for name, known in self._known.items():
            row[name] = (known[number] or None) if known is not None else None
        return row | {"folds": self._folds.get(number)}


def in_spawned(tasks: Iterator[Callable[[], Sequence[T]]], processes: int) -> Iterator[T]:
    """All that tasks give, in their order; by spawned processes, if there are to be several.

    Args:
        tasks: Each can be copied to another process.
        processes: How many.
    """
    if processes == 1:
        return itertools.chain.from_iterable(map(_call, tasks))
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent)
    return itertools.chain.from_iterable(_in_order(pool, tasks, 2 * processes + 1))


def _call(task: Callable[[], T]) -> T:
    return task()


def _in_order(pool: Executor, tasks: Iterator[Callable[[], T]], ahead: int) -> Iterator[T]:
    """What tasks give, in their order; so many are under way, and no more is kept."""
    with pool:
        try:
            pending = deque(pool.submit(_call, task) for task in itertools.islice(tasks, ahead))
            while pending:
                found = pending.popleft().result()
                pending.extend(pool.submit(_call, task) for task in itertools.islice(tasks, 1))
                yield found
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def source_for(given: str, options: Any, resize: int | None, context: OpenContext, talk: Talk) -> PackSource:
    """What is meant by a folder, the name of a data set, or ``{use: NAME, ...}``.

    Args:
        given: It.
        options: Of the data set; of a folder ``labels`` alone, and with others it is opened by ``image_folder``.
        resize: Shorter side to which images are shrunk, and kept as pixels.
        context: In which a data set opens.
        talk: Where its notes are said.

    Raises:
        UserError: There is no such folder or data set, or its options do not fit.
    """
    options, path = dict(options), Path(given).expanduser()
    if given.lstrip().startswith("{"):
        options = {**rankhub.read_yaml(given, "SOURCE").data, **options}
        if "use" not in options:
            raise UserError(f"the data set {given} has no `use`; write {{use: NAME, option: value}}")
    elif path.is_dir():
        if not set(options) - {"labels"} and options.get("labels", "none") in ("none", "folder"):
            return FolderSource(path.absolute(), classes=options.get("labels") == "folder", resize=resize)
        options = {"use": "image_folder", "root": str(path), **options}
    elif path.exists():
        raise UserError(f"{given} is a file; name a folder of images, or a data set")
    else:
        names = {info.name for info in rankhub.list_components("dataset")}
        if given.rpartition("/")[2] not in {name.rpartition("/")[2] for name in names}:
            raise UserError(f"there is no folder and no data set {given}{_near(path, names)}")
        options = {"use": given, **options}
    said = ", ".join(f"{name} {value}" for name, value in options.items())
    dataset: Dataset = rankhub.build("dataset", options)
    return DatasetSource(dataset, said, resize=resize, context=context, talk=talk)


def _near(path: Path, names: set[str]) -> str:
    """What may have been meant: a folder beside it, or a data set."""
    try:
        beside = [one.name for one in path.parent.iterdir() if one.is_dir()]
    except OSError:
        beside = []
    meant = [str(path.with_name(name)) for name in get_close_matches(path.name, beside, n=1)]
    meant += get_close_matches(str(path), sorted(names), n=1)
    if meant:
        return f"; did you mean {' or '.join(meant)}?"
    return "; name a folder of images, or a data set: `rankhub plugins list` names them"
