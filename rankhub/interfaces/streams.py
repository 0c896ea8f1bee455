"""Standard output and error, where whoever reads them may go, and where the locale may know no letters."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Lasting:
    """``stdout`` or ``stderr`` that outlives its reader, a pipe or a terminal that is closed: then it says nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def rich_proxied_file(self) -> Lasting:
        """What is written to while rich has put itself in the place of the stream."""
        return self

    @property
    def _stream(self) -> Any:
        stream = getattr(sys, self._name)
        return getattr(stream, "rich_proxied_file", stream)

    def write(self, text: str) -> int:
        """Write, or say nothing."""
        self._try(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or say nothing."""
        self._try(lambda stream: stream.flush())

    def _try(self, call: Callable[[Any], object]) -> None:
        stream = self._stream
        try:
            if stream is not None:
                call(stream)
        except (OSError, ValueError) as error:  # gone, or closed
            if isinstance(error, UnicodeError):
                raise
            silence(stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def silence(stream: Any) -> None:
    """Let what is written from now on go nowhere, also by others who write to the same file."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def use_utf8() -> None:
    """Say everything in UTF-8 whatever the locale, and names that are no UTF-8 with backslashes."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
