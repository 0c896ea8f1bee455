"""From what stands in a row to pixels."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub_data.decode import Pixels, UndecodableError, decode
from rankhub_listing.formats import learn_formats
from rankhub_train.waiting import cores


class Decoder:
    """Makes images of rows.

    Args:
        uri: The table, for sentences.
        pixels: Whether rows hold pixels, and not files.
        resize: Shorter side to which files are shrunk when they are decoded.
    """

    def __init__(self, uri: str, pixels: bool, resize: int | None) -> None:
        self.uri, self.pixels, self.resize = uri, pixels, resize
        self._threads: ThreadPoolExecutor | None = None
        self._learned = False

    def __reduce__(self) -> tuple[Any, ...]:
        return Decoder, (self.uri, self.pixels, self.resize)

    def __call__(self, rows: Any, column: str, numbers: Sequence[int]) -> Tensor | list[Tensor]:
        """The images of some rows: [n, 3, H, W] uint8, or a list where their sizes differ.

        Args:
            rows: A ``pyarrow.Table``.
            column: Which of its columns has the images.
            numbers: Of the rows in the table that they come from, for sentences.

        Raises:
            UserError: One cannot be decoded; says which row.
        """
        content = rows.column(column).to_pylist()
        if self.pixels:
            sizes = list(zip(rows["height"].to_pylist(), rows["width"].to_pylist(), strict=True))
            if len(set(sizes)) == 1 and len(content) > 1:
                stack = np.frombuffer(b"".join(content), np.uint8).reshape(-1, 3, *sizes[0])
                return torch.from_numpy(stack.copy())
            images = [
                np.frombuffer(one, np.uint8).reshape(3, *size).copy() for one, size in zip(content, sizes, strict=True)
            ]
        else:
            if not self._learned:
                self._learned = bool(learn_formats())
            images = list(self._map(content, numbers))
        if len({image.shape for image in images}) == 1:
            return torch.from_numpy(np.stack(images))
        return [torch.from_numpy(image) for image in images]

    def _map(self, content: Sequence[bytes], numbers: Sequence[int]) -> Any:
        """Decode in threads, but where processes share the cores already."""
        if len(content) == 1 or cores() == 1 or multiprocessing.parent_process() is not None:
            return map(self._decoded, content, numbers)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(cores(), thread_name_prefix="decode")
        return self._threads.map(self._decoded, content, numbers)

    def _decoded(self, content: bytes, number: int) -> Pixels:
        try:
            return decode(content, resize=self.resize)[0]
        except UndecodableError as error:
            raise UserError(
                f"row {number} of the table {self.uri} holds no image that can be read: {error.reason}"
            ) from error
