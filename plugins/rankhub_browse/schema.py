"""``rankhub schema``: the JSON schema of recipes, for editors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

import rankhub
from rankhub_browse.output import write


def schema(
    out: Annotated[Path | None, typer.Option(help="File to write; default: print it.")] = None,
) -> None:
    """Write the JSON schema of recipes with the options of every installed component.

    With the YAML extension of an editor, put this line on top of a recipe: # yaml-language-server: $schema=FILE
    """
    from rankhub_browse.editor_schema import editor_schema

    text = json.dumps(editor_schema(rankhub.Catalog.discover()), indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
        return
    write(out, text + "\n")
    typer.echo(f"wrote {out}; point to it on top of a recipe: # yaml-language-server: $schema={out}")
