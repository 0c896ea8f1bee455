"""Keeps two commands from training in one folder of labeling at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rankhub import UserError

try:
    import fcntl
except ImportError:  # Windows, where two trainings in one folder are the user's to avoid
    fcntl = None  # type: ignore[assignment]

FILE = "train.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder; the lock ends with the process, however it ends.

    Raises:
        UserError: Another process holds it.
    """
    with (folder / FILE).open("w") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"another `rankhub label train` is at work in {folder.absolute()}; let it end"
                ) from None
        yield
