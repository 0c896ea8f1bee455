"""What the verbs share."""

import sys
from contextlib import suppress
from typing import Annotated

import typer

RECIPE_HELP = "A recipe's file, or the name of one that comes along."
Overrides = Annotated[list[str] | None, typer.Argument(help="Changes to it, such as optimizer.lr=0.3.")]
Overlays = Annotated[
    list[str] | None,
    typer.Option(
        help="A file of changes, or the name of one that comes along; applied before other changes. May be repeated."
    ),
]


def print_error(text: str) -> None:
    """One error on standard error, as plain text that no terminal wraps or colours."""
    with suppress(OSError):  # nobody may be there to read it
        print(f"error: {text}", file=sys.stderr)
