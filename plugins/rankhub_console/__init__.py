"""Official plugin: shows people what a run does, with progress bars and tables on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

import rankhub

if TYPE_CHECKING:
    from rankhub import Talk


@rankhub.hookimpl
def rankhub_talks(file: TextIO) -> Iterable[Talk]:
    """Speaks to a terminal, a notebook or a file."""
    from rich.console import Console

    from rankhub_console.terminal import Terminal

    return [Terminal(Console(file=file, highlight=False, soft_wrap=True))]
