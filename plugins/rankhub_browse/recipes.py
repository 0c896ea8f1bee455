"""``rankhub recipes``: the recipes that come along."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

import rankhub
from rankhub import UserError
from rankhub_browse.output import console, table, write

app = typer.Typer(help="The recipes that come with rankhub. Without a verb: list them.")


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_all()


@app.command("list")
def list_all() -> None:
    """List the recipes that come along."""
    recipes, overlays = table("recipe", "what it does"), table("overlay", "what it changes")
    for one in rankhub.list_recipes():
        recipes.add_row(one.name, one.description)
    for one in rankhub.list_recipes("overlay"):
        overlays.add_row(one.name, _said(one.path))
    advice = (
        "Run one with [bold]rankhub run NAME[/bold], or with [bold]--overlay NAME[/bold] too; "
        "get your own copy with [bold]rankhub recipes copy NAME[/bold]."
    )
    out = console()
    out.print(recipes, "", overlays, "")
    out.print(advice, markup=True)


def _said(path: Path) -> str:
    """What an overlay does: the comment that it begins with, up to an empty line of it or a command."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(line[2:] for line in takewhile(lambda line: re.match("# \\S", line), lines)).removesuffix(".")


@app.command("copy")
def copy_recipe(
    name: Annotated[str, typer.Argument(help="A recipe that comes along.")],
    to: Annotated[Path | None, typer.Option(help="File or folder to write to; default: NAME.yaml here.")] = None,
) -> None:
    """Copy a recipe, comments and all, to change it, and the block that it extends. Never overwrites a file."""
    (path, text), *base = rankhub.recipe_files(name).items()
    target = to or Path(path.name)
    if target.is_dir():
        target = target / path.name
    for other, _ in base:
        text = _extending(text, other.name)
    if not write(target, text, "x"):
        raise UserError(f"{target} is there already and stays as it is; choose another file with --to")
    typer.echo(f"wrote {target}; run it with: rankhub run {target}")
    for other, block in base:
        beside = target.parent / other.name
        written = write(beside, block, "x")
        typer.echo(f"wrote {beside}, which it extends" if written else f"{beside}, which it extends, stays as it is")


def _extending(text: str, other: str) -> str:
    """A recipe's text, comments and all, with another name behind ``extends:``."""
    return re.sub(r"(?m)^extends:[^#\n]*?(?=\s*(#|$))", f"extends: {other}", text, count=1)
