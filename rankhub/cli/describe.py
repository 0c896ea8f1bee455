"""``rankhub describe``: what a recipe can use, read from the components themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rankhub.catalog.nearest import suggestion
from rankhub.cli.console import console
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.kinds import KINDS, Kind

if TYPE_CHECKING:
    from rich.table import Table

    from rankhub.catalog.catalog import Catalog, Entry


def describe(
    kind: Annotated[str | None, typer.Argument(help="A kind of component; default: list the kinds.")] = None,
    name: Annotated[str | None, typer.Argument(help="A component; default: list those of the kind.")] = None,
) -> None:
    """Show what a recipe can use: kinds, the components of a kind, or one component with its options.

    Example: rankhub describe loss smooth_ap
    """
    from rankhub.catalog.catalog import Catalog

    catalog = Catalog.discover()
    if kind is None:
        return _kinds(catalog)
    if kind not in KINDS:
        raise UserError(f"there is no kind of component {kind!r}{suggestion(kind, KINDS)}")
    if name is None:
        return _components(catalog, KINDS[kind])
    _page(catalog, KINDS[kind], catalog.find(kind, name))


def _table(*columns: str) -> Table:
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))


def _kinds(catalog: Catalog) -> None:
    table = _table("kind", "what it does", "place in a recipe", "components")
    for kind in KINDS.values():
        table.add_row(kind.name, kind.summary, _plain(kind.place), str(len(catalog.entries(kind.name))))
    console().print(table)


def _components(catalog: Catalog, kind: Kind) -> None:
    out = console()
    out.print(f"{kind.summary} In a recipe: {_plain(kind.place)}\n")
    table = _table(kind.name, "what it does", "plugin")
    for entry in catalog.entries(kind.name):
        table.add_row(_use(catalog, entry), _plain(entry.component.summary), entry.owner)
    out.print(table)


def _use(catalog: Catalog, entry: Entry) -> str:
    """What a recipe writes after ``use:``."""
    clashes = (entry.component.kind, entry.component.name) in catalog.clashes()
    return entry.full_name if clashes else entry.component.name


def _page(catalog: Catalog, kind: Kind, entry: Entry) -> None:
    from rankhub.catalog.docs import docs_of

    cls, model = catalog.load(entry), catalog.options(entry)
    docs = docs_of(cls)
    out = console()
    out.print(f"[bold]{kind.name} {entry.component.name}[/bold]  (plugin {entry.owner} {entry.version})")
    out.print(f"{_plain(entry.component.summary)}\n")
    if docs.body:
        out.print(f"{_plain(docs.body)}\n")
    if model.model_fields:
        out.print(_options(model))
    else:
        out.print("It has no options.")
    if kind.wired:
        out.print("\nHanded in by the engine:")
        for wired in kind.wired:
            out.print(f"  {wired.name}: {_plain(wired.meaning)}")
    out.print(f"\nIn a recipe, at {_plain(kind.place)}:  {{use: {_use(catalog, entry)}}}")
    out.print(f"Class: {entry.component.target}")


def _options(model: Any) -> Table:
    from rankhub.catalog.complaints import show
    from rankhub.catalog.hints import fields_of, words

    hints = fields_of(model) or {}
    table = _table("option", "takes", "default", "meaning")
    for attribute, info in model.model_fields.items():
        name = info.alias or attribute
        default = "required" if info.is_required() else show(info.default)
        table.add_row(name, _plain(words(hints[name])), _plain(default), _plain(info.description or ""))
    return table


def _plain(text: str) -> str:
    """Text in which rich must see no markup."""
    from rich.markup import escape

    return escape(text)
