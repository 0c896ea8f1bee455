"""Official plugin: shows people what a run does, with progress bars and tables on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import rankhub

if TYPE_CHECKING:
    from rankhub import Talk
    from rankhub.interfaces.talk import Stream


@rankhub.hookimpl
def rankhub_talks(stream: Stream) -> Iterable[Talk]:
    """Speaks to a terminal, a notebook or a file, and goes on though nobody listens any more."""
    from rich.console import Console

    from rankhub_console.lasting import Lasting
    from rankhub_console.terminal import Terminal

    file: Any = Lasting(stream)
    return [Terminal(Console(file=file, highlight=False, soft_wrap=True))]
