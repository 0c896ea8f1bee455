"""``rankhub plugins``: which plugins there are, and why one cannot be used."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

import typer

from rankhub import BrokenPlugin, Catalog, Plugin, UserError

NARROWEST = 24
"""Letters in which the last column of a table can be read."""

app = typer.Typer(
    help="Plugins bring all components (losses, data sets, generators and the rest), verbs and recipes.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Keeps ``list`` a verb of its own while it is the only one."""


@app.command("list")
def list_plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all that each brings.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Ask each in a process of its own and import all; exit code 1 if some is broken."),
    ] = False,
) -> None:
    """List the plugins with what they bring, and the broken ones with the reason."""
    catalog = Catalog.discover(check)
    if as_json:
        typer.echo(json.dumps(as_data(catalog), indent=2))
    else:
        _print(catalog)
    wrong: list[object] = [plugin for plugin in catalog.broken if not plugin.off]
    for entry in [entry for kind in catalog.kinds for entry in catalog.entries(kind)] if check else ():
        try:
            catalog.options(entry)
        except UserError as error:
            typer.echo(f"{typer.style('broken', fg='red')}  {error}", err=as_json)
            wrong.append(error)
    if check and wrong:
        raise typer.Exit(1)


def as_data(catalog: Catalog) -> dict[str, Any]:
    """The catalog as plain data: ``plugins``, ``broken`` and ``clashes``."""

    def facts(plugin: Plugin | BrokenPlugin) -> dict[str, Any]:
        return {"owner": plugin.owner, "distribution": plugin.distribution, "version": plugin.version}

    def brought(plugin: Plugin) -> dict[str, Any]:
        records: dict[str, tuple[Any, ...]] = {
            "kinds": plugin.kinds,
            "components": plugin.components,
            "verbs": plugin.verbs,
        }
        return {key: [*map(asdict, found)] for key, found in records.items()} | {"recipes": [*plugin.recipes]}

    return {
        "plugins": [facts(plugin) | brought(plugin) for plugin in catalog.plugins],
        "broken": [{**facts(plugin), "reason": plugin.reason} for plugin in catalog.broken],
        "clashes": [
            {"kind": kind, "name": name, "owners": [entry.owner for entry in entries]}
            for (kind, name), entries in catalog.clashes().items()
        ],
    }


def _brings(plugin: Plugin) -> str:
    kinds = Counter(component.kind for component in plugin.components)
    plural = {kind: f"{kind}es" if kind.endswith("s") else f"{kind}s" for kind in kinds}
    parts = [f"{count} {kind if count == 1 else plural[kind]}" for kind, count in kinds.items()]
    parts = [f"the kind {kind.name}" for kind in plugin.kinds] + parts
    if plugin.verbs:
        parts.append(f"{'verb' if len(plugin.verbs) == 1 else 'verbs'} {' '.join(verb.name for verb in plugin.verbs)}")
    hooks = plugin.hooks
    does = {
        "watches runs": hooks.rankhub_observers,
        "shows what runs say": hooks.rankhub_talks,
        "says what runs do": hooks.rankhub_words,
        "tries runs": hooks.rankhub_trial,
        "brings references": hooks.rankhub_references,
        "guards components": hooks.rankhub_guards,
        "guards folders of runs": hooks.rankhub_around_run,
    }
    parts += [*(["recipes"] if plugin.recipes else []), *(said for said, hook in does.items() if hook.get_hookimpls())]
    return ", ".join(parts) or "nothing"


def _print(catalog: Catalog) -> None:
    """Aligned by hand: a library for tables takes longer to import than all else here."""
    head = ("plugin", "of", "version", "brings")
    rows = [head, *((p.owner, p.distribution, p.version, _brings(p)) for p in catalog.plugins)]
    widths = [max(map(len, column)) for column in zip(*(row[:3] for row in rows), strict=True)]
    width = shutil.get_terminal_size((10**4, 0)).columns
    for row in rows:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        # Where little is left beside them, the last column goes below the others.
        beside = width - len(start) >= NARROWEST
        indent = len(start) if beside else 4
        text = textwrap.wrap(row[3], max(width - indent, NARROWEST))
        lines = f"\n{' ' * indent}".join([*([] if beside else [start.rstrip()]), *text])
        typer.secho(start + lines if beside else lines, bold=row is head)
    for broken in catalog.broken:
        name = f"{broken.owner} ({broken.distribution} {broken.version})"
        word, colour = ("off", "yellow") if broken.off else ("broken", "red")
        typer.echo(f"{typer.style(word, fg=colour)}  {name}: {broken.reason}")
    for (kind, name), entries in catalog.clashes().items():
        choices = " or ".join(entry.full_name for entry in entries)
        typer.echo(f"{typer.style('clash', fg='yellow')}  {kind} {name}: write {choices}")
