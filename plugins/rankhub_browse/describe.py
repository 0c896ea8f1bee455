"""``rankhub describe``: what a recipe can use, read from the components themselves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

import rankhub
from rankhub import Catalog
from rankhub_browse.output import console, table

if TYPE_CHECKING:
    from rankhub import ComponentPage


def describe(
    kind: Annotated[str | None, typer.Argument(help="A kind of component; default: list the kinds.")] = None,
    name: Annotated[str | None, typer.Argument(help="A component; default: list those of the kind.")] = None,
) -> None:
    """Show what a recipe can use: kinds, the components of a kind, or one component with its options.

    Example: rankhub describe loss smooth_ap
    """
    if kind is None:
        _kinds()
    elif name is None:
        _components(kind)
    else:
        _page(rankhub.describe(kind, name))


def _kinds() -> None:
    catalog = Catalog.discover()
    counts = Counter(info.kind for info in rankhub.list_components(catalog=catalog))
    rows = table("kind", "what it does", "key in a recipe", "components")
    for kind in catalog.kinds.values():
        rows.add_row(kind.name, kind.summary, kind.address, str(counts[kind.name]))
    console().print(rows)


def _components(name: str) -> None:
    catalog = Catalog.discover()
    components, kind = rankhub.list_components(name, catalog), catalog.kinds[name]
    out, rows = console(), table(kind.name, "what it does", "plugin")
    out.print(kind.summary + (f" In a recipe: {kind.address}" if kind.address else ""), "")
    for info in components:
        rows.add_row(info.name, info.summary, info.owner)
    out.print(rows)


def _page(page: ComponentPage) -> None:
    info, out = page.info, console()
    out.print(f"{info.kind} {info.name.rpartition('/')[2]}", style="bold", end="")
    out.print(f"  (plugin {info.owner} {info.version})\n{info.summary}\n")
    if page.text:
        out.print(f"{page.text}\n")
    rows = table("option", "takes", "default", "meaning")
    for option in page.options:
        rows.add_row(option.name, option.takes, option.default or "required", option.meaning)
    out.print(rows if page.options else "It has no options.")
    if page.wired:
        out.print("\nHanded in by the engine:")
        for name, meaning in page.wired.items():
            out.print(f"  {name}: {meaning}")
    place = f"\nIn a recipe, at {page.address}:  {{use: {info.name}}}" if page.address else ""
    out.print(f"{place}\nClass: {page.target}")
