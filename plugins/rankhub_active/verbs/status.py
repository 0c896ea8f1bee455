"""`rankhub label status`: how far the labeling has come."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rankhub_active.verbs.folder_option import DEFAULT, Folder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from rankhub_active.labeling.summary import Summary

_PARTS = {"pool": "to learn from", "test": "test images"}


def status(folder: Folder = DEFAULT) -> None:
    """Show the rounds, how much of the pool is labeled, and what to do next.

    Example: rankhub label status
    """
    from rich.markup import escape

    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import summarize

    pool, out = Pool(folder), _console()
    summary = summarize(pool)
    settings = pool.settings
    total = sum(sum(states.values()) for states in summary.parts.values())
    unit = f" ({settings.unit})" if settings.unit else ""
    out.print(escape(f"{folder}: {total:,} images of {settings.images}; asked for: {settings.takes}{unit}"))
    out.print()
    if summary.rounds:
        out.print(_rounds(summary))
        out.print()
    out.print(_parts(summary))
    out.print()
    out.print(escape(f"next: {summary.advice}"), soft_wrap=True)


def _console() -> Console:
    """Standard output: coloured on a terminal, and wide enough for a table where it is none."""
    from rich.console import Console

    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=max(out.width, 160))


def _rounds(summary: Summary) -> Table:
    table = _table("round", "asked", "answered", "skipped", "open")
    besides = any(each.besides for each in summary.rounds)
    if besides:
        table.add_column("unasked", justify="right")
    for name in ("chosen by", "trained", "result"):
        table.add_column(name, overflow="fold")
    for each in summary.rounds:
        states = each.states
        numbers = [each.round.asked, states["labeled"], states["skipped"], states["asked"]]
        if besides:
            numbers.append(each.besides)
        texts = [each.round.by, _short(each.round.trained), each.result or ""]
        _add(table, str(each.round.number), numbers, texts)
    return table


def _parts(summary: Summary) -> Table:
    table = _table("", "images", "labeled", "asked", "free", "skipped")
    for part, states in sorted(summary.parts.items()):
        numbers = [sum(states.values()), *(states[name] for name in ("labeled", "asked", "unlabeled", "skipped"))]
        _add(table, _PARTS[part], numbers, [])
    return table


def _table(first: str, *numbers: str) -> Table:
    from rich.table import Column, Table

    columns = [Column(first, overflow="fold"), *(Column(name, justify="right", overflow="fold") for name in numbers)]
    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _add(table: Table, name: str, numbers: list[int], texts: list[str]) -> None:
    from rich.markup import escape

    table.add_row(name, *(f"{number:,}" for number in numbers), *map(escape, texts))


def _short(run: str | None) -> str:
    """A folder as it is named from here, where it lies below."""
    if run is None:
        return ""
    return os.path.relpath(run) if Path(run).is_relative_to(Path.cwd()) else run
