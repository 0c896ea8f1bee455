"""``rankhub describe``: what a recipe can use, read from the components themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from rankhub.cli.console import console
from rankhub.interfaces.kinds import KINDS, Kind

if TYPE_CHECKING:
    from rich.table import Table

    from rankhub.catalog.catalog import Catalog
    from rankhub.catalog.page import ComponentInfo, ComponentPage


def describe(
    kind: Annotated[str | None, typer.Argument(help="A kind of component; default: list the kinds.")] = None,
    name: Annotated[str | None, typer.Argument(help="A component; default: list those of the kind.")] = None,
) -> None:
    """Show what a recipe can use: kinds, the components of a kind, or one component with its options.

    Example: rankhub describe loss smooth_ap
    """
    from rankhub.api import list_components
    from rankhub.catalog.catalog import Catalog
    from rankhub.catalog.page import page_of

    catalog = Catalog.discover()
    if kind is None:
        return _kinds(catalog)
    if name is None:
        return _components(list_components(kind, catalog), KINDS[kind])
    list_components(kind, catalog)  # objects to an unknown kind
    _page(page_of(catalog, kind, name))


def _table(*columns: str) -> Table:
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))


def _kinds(catalog: Catalog) -> None:
    table = _table("kind", "what it does", "place in a recipe", "components")
    for kind in KINDS.values():
        table.add_row(kind.name, kind.summary, _plain(kind.place), str(len(catalog.entries(kind.name))))
    console().print(table)


def _components(components: Sequence[ComponentInfo], kind: Kind) -> None:
    out = console()
    out.print(f"{kind.summary} In a recipe: {_plain(kind.place)}\n")
    table = _table(kind.name, "what it does", "plugin")
    for info in components:
        table.add_row(info.name, _plain(info.summary), info.owner)
    out.print(table)


def _page(page: ComponentPage) -> None:
    info, out = page.info, console()
    out.print(f"[bold]{info.kind} {info.name.rpartition('/')[2]}[/bold]  (plugin {info.owner} {info.version})")
    out.print(f"{_plain(info.summary)}\n")
    if page.text:
        out.print(f"{_plain(page.text)}\n")
    if page.options:
        table = _table("option", "takes", "default", "meaning")
        for option in page.options:
            default = "required" if option.default is None else option.default
            table.add_row(option.name, *map(_plain, (option.takes, default, option.meaning)))
        out.print(table)
    else:
        out.print("It has no options.")
    if page.wired:
        out.print("\nHanded in by the engine:")
        for wired in page.wired:
            out.print(f"  {wired.name}: {_plain(wired.meaning)}")
    out.print(f"\nIn a recipe, at {_plain(page.place)}:  {{use: {info.name}}}")
    out.print(f"Class: {page.target}")


def _plain(text: str) -> str:
    """Text in which rich must see no markup."""
    from rich.markup import escape

    return escape(text)
