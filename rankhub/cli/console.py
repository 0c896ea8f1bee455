"""What the verbs print with."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

RECIPE_HELP = "A recipe's file, or the name of one that comes along."
Overrides = Annotated[list[str] | None, typer.Argument(help="Changes to it, such as optimizer.lr=0.3.")]
Overlays = Annotated[
    list[str] | None,
    typer.Option(
        help="A file of changes, or the name of one that comes along; applied before other changes. May be repeated."
    ),
]


def console() -> Console:
    """Standard output: coloured on a terminal, and of any width where it is none."""
    from rich.console import Console

    out = Console(highlight=False, markup=False)
    if not out.is_terminal:
        out.width = max(out.width, 160)
    return out


def table(*columns: str) -> Table:
    """A table without lines, to be filled row by row."""
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))


def print_error(text: str) -> None:
    """One error on standard error, as plain text that no terminal wraps or colours."""
    print(f"error: {text}", file=sys.stderr)
