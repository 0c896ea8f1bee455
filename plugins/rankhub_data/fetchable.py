"""Data sets that can be downloaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path


class Fetchable(ABC):
    """Mixed into a data set that ``rankhub data fetch NAME`` can download."""

    @classmethod
    @abstractmethod
    def fetch(cls, folder: Path | None, mirror: str | None, progress: Callable[[int, int, str], None]) -> Path:
        """Download, check and unpack; goes on where an earlier call stopped.

        Args:
            folder: Where to; None = where the data set looks by default.
            mirror: Address of the archive in place of the usual one.
            progress: ``progress(done, total, what)`` in bytes.

        Returns:
            The folder in which the data set will find its files.

        Raises:
            UserError: The download failed or its checksum is wrong; one sentence.
        """
