"""What the verbs print with."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def console() -> Console:
    """Standard output: coloured on a terminal, and of any width where it is none."""
    out = Console(highlight=False, markup=False)
    if not out.is_terminal:
        out.width = max(out.width, 160)
    return out


def table(*columns: str) -> Table:
    """A table without lines, to be filled row by row."""
    return Table(*columns, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
