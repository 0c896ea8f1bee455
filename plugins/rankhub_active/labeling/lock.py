"""Keeps two processes from working in one folder at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rankhub import UserError
from rankhub.interfaces.files import unwritable

try:
    import fcntl
except ImportError:  # Windows, where two at work in one folder are the user's to avoid
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(file: Path, *, sentence: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a file; the lock ends with the process, however it ends.

    The file is made if need be; ``sentence`` is said if another process holds it after ``patience`` seconds.

    Raises:
        UserError: Another process holds it, or it cannot be made.
    """
    until = time.monotonic() + patience
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        opened = file.open("w", encoding="utf-8")
    except OSError as error:
        raise unwritable(file, error) from error
    with opened as handle:
        while fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= until:
                    raise UserError(sentence) from None
                time.sleep(0.1)
        yield
