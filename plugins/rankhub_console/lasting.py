"""Standard output and error, where whoever reads them may go."""

from __future__ import annotations

import sys
from typing import Any, Self

from rankhub.interfaces.talk import silence


class Lasting:
    """``stdout`` or ``stderr`` that outlives its reader, a pipe or a terminal that is closed: then it says nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def rich_proxied_file(self) -> Self:
        """What is written to while rich has put itself in the place of the stream."""
        return self

    @property
    def _stream(self) -> Any:
        stream = getattr(sys, self._name)
        return getattr(stream, "rich_proxied_file", stream)

    def write(self, text: str) -> int:
        """Write at once, or say nothing."""
        stream = self._stream
        try:
            if stream is not None:
                stream.write(text)
                stream.flush()
        except UnicodeError:
            raise
        except (OSError, ValueError):  # gone, or closed
            silence(stream)
        return len(text)

    def flush(self) -> None:
        """All is written."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
