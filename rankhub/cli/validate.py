"""``rankhub validate``: check a recipe without running it."""

from typing import Annotated

import typer

from rankhub.cli.console import RECIPE_HELP, Overlays, Overrides


def validate(
    recipe: Annotated[str, typer.Argument(help=RECIPE_HELP)],
    overrides: Overrides = None,
    overlay: Overlays = None,
    data: Annotated[bool, typer.Option("--data", help="Data that are not there are an error too.")] = False,
) -> None:
    """Check a recipe: its shape, every component, and whether the parts make sense together.

    All that is wrong is listed at once, each with its line and the nearest valid name. Nothing is trained or read.
    """
    from rankhub.api import load_recipe
    from rankhub.recipe.check import missing_data

    loaded = load_recipe(recipe, overrides or [], overlays=overlay or [], need_data=data)
    typer.echo(f"{loaded.document.file} is fine.")
    if not data:
        for problem in missing_data(loaded):
            typer.echo(f"note: {problem}")
