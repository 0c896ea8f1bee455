"""``rankhub validate``: check a recipe without running it."""

from typing import Annotated

import typer

from rankhub_train.arguments import RECIPE_HELP, Overlays, Overrides


def validate(
    recipe: Annotated[str, typer.Argument(help=RECIPE_HELP)],
    overrides: Overrides = None,
    overlay: Overlays = None,
    data: Annotated[bool, typer.Option("--data", help="Data that are not there are an error too.")] = False,
) -> None:
    """Check a recipe: its shape, every component, and whether the parts make sense together.

    All that is wrong is listed at once, each with its line and the nearest valid name. Nothing is trained or read.
    """
    from rankhub import RecipeErrors, load_recipe

    missing = []
    try:
        loaded = load_recipe(recipe, overrides or [], overlays=overlay or [], need_data=True)
    except RecipeErrors as error:
        if data:
            raise
        missing = error.problems
        loaded = load_recipe(recipe, overrides or [], overlays=overlay or [])  # unless something else is wrong
    typer.echo(f"{loaded.document.file} is fine.")
    for problem in missing:
        typer.echo(f"note: {problem}")
