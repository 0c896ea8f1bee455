"""``rankhub recipes``: the recipes that come along."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankhub.cli.console import console, table
from rankhub.interfaces.errors import UserError

app = typer.Typer(help="The recipes that come with rankhub. Without a verb: list them.")


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_all()


@app.command("list")
def list_all() -> None:
    """List the recipes that come along."""
    from rankhub.api import list_recipes
    from rankhub.catalog.catalog import Catalog
    from rankhub.recipe.shipped import listed, names

    catalog = Catalog.discover()
    recipes, overlays = table("recipe", "what it does"), table("overlay", "what it changes")
    for info in list_recipes(catalog):
        recipes.add_row(info.name, info.description)
    for name, one in zip(names(catalog, "overlay"), listed(catalog, "overlay"), strict=True):
        overlays.add_row(name, _first_line(one.path))
    advice = (
        "Run one with [bold]rankhub run NAME[/bold], or with [bold]--overlay NAME[/bold] too; "
        "get your own copy with [bold]rankhub recipes copy NAME[/bold]."
    )
    out = console()
    out.print(recipes, "", overlays, "")
    out.print(advice, markup=True)


def _first_line(path: Path) -> str:
    """What an overlay does: its first line, a comment."""
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").removesuffix(".")


@app.command("copy")
def copy_recipe(
    name: Annotated[str, typer.Argument(help="A recipe that comes along.")],
    to: Annotated[Path | None, typer.Option(help="File or folder to write to; default: NAME.yaml here.")] = None,
) -> None:
    """Copy a recipe, comments and all, to change it, and the block that it extends. Never overwrites a file."""
    from rankhub.catalog.catalog import Catalog
    from rankhub.recipe.extends import base_of, with_base
    from rankhub.recipe.shipped import read_file, shipped

    catalog = Catalog.discover()
    one = shipped(catalog, name)
    source = read_file(one.path, one.distribution)
    target = to or Path(one.path.name)
    if target.is_dir():
        target = target / one.path.name
    base = base_of(source, catalog)
    beside = target.parent / base.path.name if base is not None and base.path is not None else None
    text = source.text if beside is None else with_base(source.text, beside.name)
    if not _write_new(target, text):
        raise UserError(f"{target} is there already and stays as it is; choose another file with --to")
    typer.echo(f"wrote {target}; run it with: rankhub run {target}")
    if base is not None and beside is not None:
        written = _write_new(beside, base.text)
        typer.echo(f"wrote {beside}, which it extends" if written else f"{beside}, which it extends, stays as it is")


def _write_new(path: Path, text: str) -> bool:
    """Write a file that is not there yet; False if it is."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    return True
