"""``rankhub plugins``: which plugins there are, and why one cannot be used."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rankhub.cli.console import console

if TYPE_CHECKING:
    from rankhub.catalog.catalog import Catalog
    from rankhub.catalog.discovery import BrokenPlugin, Plugin

app = typer.Typer(
    help="Plugins bring all components: losses, data sets, generators and the rest.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keeps ``list`` a verb of its own while it is the only one."""


@app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every component.")] = False,
) -> None:
    """List the plugins with what they bring, and the broken ones with the reason."""
    from rankhub.catalog.catalog import Catalog

    catalog = Catalog.discover()
    if as_json:
        typer.echo(json.dumps(as_data(catalog), indent=2))
    else:
        _print(catalog)


def as_data(catalog: Catalog) -> dict[str, Any]:
    """The catalog as plain data: ``plugins``, ``broken`` and ``clashes``."""
    return {
        "plugins": [
            {**_facts(plugin), "components": [asdict(component) for component in plugin.components]}
            for plugin in catalog.plugins
        ],
        "broken": [{**_facts(plugin), "reason": plugin.reason} for plugin in catalog.broken],
        "clashes": [
            {"kind": kind, "name": name, "owners": [entry.owner for entry in entries]}
            for (kind, name), entries in catalog.clashes().items()
        ],
    }


def _facts(plugin: Plugin | BrokenPlugin) -> dict[str, str]:
    return {"owner": plugin.owner, "distribution": plugin.distribution, "version": plugin.version}


def _brings(plugin: Plugin) -> str:
    kinds = Counter(component.kind for component in plugin.components)
    parts = [f"{count} {kind if count == 1 else _plural(kind)}" for kind, count in kinds.items()]
    if plugin.hooks.rankhub_observers.get_hookimpls():
        parts.append("watches runs")
    return ", ".join(parts) or "nothing"


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")


def _print(catalog: Catalog) -> None:
    from rich.markup import escape
    from rich.table import Table

    out = console()
    table = Table("plugin", "of", "version", "brings", box=None, pad_edge=False, header_style="bold")
    for plugin in catalog.plugins:
        table.add_row(plugin.owner, plugin.distribution, plugin.version, _brings(plugin))
    out.print(table)
    for broken in catalog.broken:
        name = escape(f"{broken.owner} ({broken.distribution} {broken.version})")
        out.print(f"[red]broken[/red]  {name}: {escape(broken.reason)}", soft_wrap=True)
    for (kind, name), entries in catalog.clashes().items():
        choices = " or ".join(entry.full_name for entry in entries)
        out.print(f"[yellow]clash[/yellow]  {kind} {name}: write {escape(choices)}", soft_wrap=True)
