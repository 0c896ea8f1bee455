"""What the verbs print and write with."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from rankhub.interfaces.files import write_text


def console() -> Console:
    """Standard output: coloured on a terminal, and of any width where it is none."""
    out = Console(highlight=False, markup=False)
    if not out.is_terminal:
        out.width = max(out.width, 160)
    return out


def table(*columns: str) -> Table:
    """A table without lines, to be filled row by row; what is too long is broken, not cut."""
    return Table(
        *(Column(name, overflow="fold") for name in columns),
        box=None,
        pad_edge=False,
        header_style="bold",
        padding=(0, 2, 0, 0),
    )


def write(path: Path, text: str, mode: str = "w") -> bool:
    """Write a file; with the mode "x" one that is not there yet, False if it is.

    Raises:
        UserError: It cannot be written.
    """
    if mode == "x" and path.exists():
        return False
    write_text(path, text)
    return True
