"""Decoded images of any size, one after the other: in memory, or in a memory-mapped file."""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub_data.decode import Pixels
from rankhub_listing.files import as_ints


class Images:
    """Images as one flat run of bytes. Safe in forked workers, which share it.

    Args:
        source: The bytes; or the file to map, which is then neither read whole nor copied to other processes.
        shapes: [n, 2] height and width of each image.
        starts: [n] where each begins; None = one behind the other, and nothing else.
    """

    def __init__(
        self, source: bytearray | Path, shapes: npt.NDArray[np.int64], starts: npt.NDArray[np.int64] | None = None
    ) -> None:
        self.source = source
        self.shapes = shapes
        sizes = 3 * shapes[:, 0] * shapes[:, 1]
        self.nbytes = int(sizes.sum())
        """Bytes of all images."""
        self._starts = np.cumsum(sizes) - sizes if starts is None else starts
        self._memory: Tensor | None = None
        self._mapped: npt.NDArray[np.uint8] | None = None
        if isinstance(source, Path):
            used = int((self._starts + sizes).max(initial=0))
            self._mapped = np.memmap(source, dtype=np.uint8, mode="r", shape=(used,))
        else:
            self._memory = torch.frombuffer(source, dtype=torch.uint8) if source else torch.empty(0, dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.shapes)

    def chosen(self, rows: npt.NDArray[np.int64]) -> Images:
        """Those at ``rows``, in the order of these; nothing is copied."""
        return Images(self.source, self.shapes[rows], self._starts[rows])

    def __getitem__(self, row: int) -> Tensor:
        """[3, H, W] uint8. In memory no copy is made: do not write to it."""
        start = int(self._starts[row])
        height, width = self.shapes[row].tolist()
        if self._memory is not None:
            return self._memory.as_strided((3, height, width), (height * width, width, 1), start)
        assert self._mapped is not None
        # A read-only map handed on as it is would end the process at the first write to it.
        return torch.from_numpy(np.array(self._mapped[start : start + 3 * height * width])).view(3, height, width)

    def batch(self, rows: npt.NDArray[np.int64]) -> Tensor | list[Tensor]:
        """[n, 3, H, W] uint8, a copy; or, of unequal sizes, a list of single ones."""
        shapes = self.shapes[rows]
        if not len(rows) or (shapes != shapes[0]).any():
            return [self[row] for row in rows.tolist()]
        flat = self._memory.numpy() if self._mapped is None and self._memory is not None else self._mapped
        assert flat is not None
        height, width = shapes[0].tolist()
        images = np.lib.stride_tricks.sliding_window_view(flat, 3 * height * width)[self._starts[rows]]
        return torch.from_numpy(images.view(np.ndarray)).view(-1, 3, height, width)

    def __reduce__(self) -> tuple[Any, ...]:
        return Images, (self.source, self.shapes, self._starts)


class Collector:
    """Takes images in order; keeps them in memory until they are too many, then in a file.

    Args:
        memory_limit: Bytes that may be held in memory.
        open_file: Makes the file, once it is needed.
    """

    def __init__(self, memory_limit: int, open_file: Callable[[], BinaryIO]) -> None:
        self._limit = memory_limit
        self._open = open_file
        # A bytearray grows in place (realloc), so that the images never stand twice in memory.
        self._flat = bytearray()
        self._file: BinaryIO | None = None
        self._shapes = array("q")

    def add(self, pixels: Pixels) -> None:
        """Keep a [3, H, W] uint8 image.

        Raises:
            OSError: The file cannot be made or written.
        """
        self._shapes.extend(pixels.shape[1:])
        if self._file is None and len(self._flat) + pixels.nbytes > self._limit:
            self._file = self._open()
            self._file.write(self._flat)
            self._flat = bytearray()
        content = pixels.data.cast("B")
        if self._file is None:
            self._flat += content
        else:
            self._file.write(content)

    @property
    def shapes(self) -> npt.NDArray[np.int64]:
        """[n, 2] height and width of each image."""
        return as_ints(self._shapes).reshape(-1, 2)

    def finish(self) -> Images | None:
        """The images if they are in memory; None if they are in the file, now complete on the disk and closed.

        Raises:
            OSError: The file cannot be written.
        """
        if self._file is None:
            return Images(self._flat, self.shapes)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return None

    def close(self) -> None:
        """Close the file, if there is one, also after a failed write."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
