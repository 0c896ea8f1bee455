"""Images of files, decoded ahead in threads, in order, at a memory that does not grow with their number."""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rankhub import STRAYS
from rankhub.interfaces.data import DataReport, Dataset, OpenContext, Sample
from rankhub_data.decode import Pixels, UndecodableError, decode
from rankhub_data.deep import Remark
from rankhub_listing.files import UnusedImage, unreadable, unsupported
from rankhub_listing.formats import learn_formats, unread
from rankhub_train.waiting import cores
from rankhub_use.named import NamedFile

AHEAD = 4
"""Images for each thread that are decoded before they are asked for."""

ROOM = 1 << 27
"""Pixels that a block holds, at most, but for one image that is larger."""


@dataclass(slots=True)
class FileBlock(Dataset):
    """Some consecutive files as an open data set: the images of those that can be read.

    Attributes:
        files: All of them.
        read: Of each image the position of its file.
        images: Each [3, H, W] uint8 RGB.
        unread: Of each other file its position, and why.
        remarks: Of each image; see :func:`rankhub_data.folder_report.remarked`.
    """

    files: list[NamedFile] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    images: list[Pixels] = field(default_factory=list)
    unread: dict[int, UnusedImage] = field(default_factory=dict)
    remarks: list[int] = field(default_factory=list)

    def open(self, context: OpenContext) -> DataReport:
        """It is open."""
        return DataReport()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        """The image, in memory that is the block's."""
        file = self.files[self.read[index]]
        path = Path(file.path) if file.place is None else None
        return Sample(torch.from_numpy(self.images[index]), index, path=path)

    def facts(self, name: str) -> Sequence[str] | None:
        """``path``: the names of the files."""
        return [self.files[position].name for position in self.read] if name == "path" else None

    def sizes(self) -> npt.NDArray[np.int64]:
        """[len, 2] height and width."""
        return np.array([image.shape[1:] for image in self.images], dtype=np.int64).reshape(-1, 2)


def read_blocks(files: Iterable[NamedFile], size: int) -> Iterator[FileBlock]:
    """Blocks of ``size`` consecutive files; fewer where images are so large that they would take much memory."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on odd files; what matters is reported
        yield from _blocks(files, size)


def _blocks(files: Iterable[NamedFile], size: int) -> Iterator[FileBlock]:
    block, room = FileBlock(), 0
    for file, found in _decoded(files):
        if isinstance(found, UnusedImage):
            block.unread[len(block.files)] = found
        else:
            pixels, remark = found
            area = pixels.shape[1] * pixels.shape[2]
            if block.images and room + area > ROOM:
                yield block
                block, room = FileBlock(), 0
            room += area
            block.read.append(len(block.files))
            block.images.append(pixels)
            block.remarks.append(int(remark))
        block.files.append(file)
        if len(block.files) == size:
            yield block
            block, room = FileBlock(), 0
    if block.files:
        yield block


def _decoded(files: Iterable[NamedFile]) -> Iterator[tuple[NamedFile, tuple[Pixels, Remark] | UnusedImage]]:
    learn_formats()
    count, coming, started = cores(), iter(files), list[threading.Thread]()
    waiting = deque[tuple[NamedFile, Future[tuple[Pixels, Remark] | UnusedImage]]]()
    pool = ThreadPoolExecutor(count, "decode", lambda: started.append(threading.current_thread()))
    try:
        while True:
            for file in islice(coming, max(0, AHEAD * count - len(waiting))):
                waiting.append((file, pool.submit(read_image, file)))
            if not waiting:
                return
            file, future = waiting[0]  # it stays there while it is waited for
            found = future.result()
            waiting.popleft()
            yield file, found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        away = any(file.place is not None and not future.done() for file, future in waiting)
        STRAYS.extend(started if away else ())  # they may wait for a store that is away, and the program not for them
        pool.shutdown(wait=not away)


def read_image(file: NamedFile) -> tuple[Pixels, Remark] | UnusedImage:
    """[3, H, W] uint8 RGB with what is to be remarked; or why there is no image, with the file's name.

    Raises:
        UserError: The place that has it does not answer.
    """
    if file.place is not None:
        try:
            return file.place.read(file.row)
        except UndecodableError as error:
            return error.at(file.name)
    ending = os.path.splitext(file.path)[1].lower()
    if foreign := unread(ending):
        return unsupported(file.name, foreign)
    try:
        pixels, remark, _ = decode(Path(file.path).read_bytes(), ending)
    except OSError as error:
        return unreadable(file.name, error)
    except UndecodableError as error:
        return error.at(file.name)
    return pixels, remark
