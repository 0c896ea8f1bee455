"""What the verbs print with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

OVERLAY_HELP = "A file of changes, or the name of one that comes along; applied before other changes. May be repeated."


def console() -> Console:
    """Standard output: coloured on a terminal, and of any width where it is none."""
    from rich.console import Console

    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=max(out.width, 160))


def print_error(text: str) -> None:
    """One error on standard error, as plain text that no terminal wraps or colours."""
    print(f"error: {text}", file=sys.stderr)
