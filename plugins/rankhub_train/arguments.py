"""Arguments that several verbs take."""

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
