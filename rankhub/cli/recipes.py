"""``rankhub recipes``: the recipes that come along."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankhub.cli.console import console
from rankhub.interfaces.errors import UserError

app = typer.Typer(help="The recipes that come with rankhub. Without a verb: list them.")


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_recipes()


@app.command("list")
def list_recipes() -> None:
    """List the recipes that come along."""
    from rich.markup import escape
    from rich.table import Table

    from rankhub.recipe.reader import read
    from rankhub.recipe.shipped import names, path_of

    table = Table("recipe", "what it does", box=None, pad_edge=False, header_style="bold")
    for name in names():
        path = path_of(name)
        description = read(path.read_text(encoding="utf-8"), str(path)).data.get("description", "")
        table.add_row(name, escape(str(description)))
    out = console()
    out.print(table)
    out.print(
        "\nRun one with [bold]rankhub run NAME[/bold]; get your own copy with [bold]rankhub recipes copy NAME[/bold]."
    )


@app.command("copy")
def copy_recipe(
    name: Annotated[str, typer.Argument(help="A recipe that comes along.")],
    to: Annotated[Path | None, typer.Option(help="File or folder to write to; default: NAME.yaml here.")] = None,
) -> None:
    """Copy a recipe, comments and all, to change it. Never overwrites a file."""
    from rankhub.recipe.shipped import path_of

    source = path_of(name)
    target = to or Path(source.name)
    if target.is_dir():
        target = target / source.name
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(source.read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise UserError(f"{target} is there already and stays as it is; choose another file with --to") from error
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror}") from error
    typer.echo(f"wrote {target}; run it with: rankhub run {target}")
