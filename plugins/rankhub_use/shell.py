"""What the verbs share: progress with the time that is left, one JSON object at the end, parameters of one name."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rankhub import Talk, UserError
from rankhub.interfaces.files import readable
from rankhub_console.speech import human_seconds, talking


def number_option(
    name: str, kind: type[int] | type[float], least: float = -math.inf, most: float = math.inf, *, help: str
) -> Any:
    """An option that is a number of a range; what is none gets a sentence, as does NaN.

    Args:
        name: As it is typed, such as ``--above``.
        kind: ``int`` or ``float``.
        least: The smallest that it may be.
        most: The largest.
        help: What it is.

    Returns:
        What ``typer.Option`` gives.
    """
    what = "a whole number" if kind is int else "a number"
    if (least, most) != (-math.inf, math.inf):
        what += f" from {least:,} to {most:,}" if most < math.inf else f", at least {least:,}"

    def parsed(text: str) -> int | float:
        try:
            value = kind(text)
        except (ValueError, OverflowError):
            value = math.nan
        if not least <= value <= most:
            raise UserError(f"{name} {text} is not {what}")
        return value

    return typer.Option(name, parser=parsed, metavar=kind.__name__.upper(), help=help)


RunArgument = Annotated[Path, typer.Argument(help="A run's folder, or one of its checkpoints.")]
SourcesArgument = Annotated[
    list[str] | None, typer.Argument(help="Images: files, folders, tables, - for names on standard input.")
]
FromOption = Annotated[
    Path | None,
    typer.Option("--from", help="A list of files, folders or tables, one a line, or with NUL between them."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="A change to the recipe, such as device=cpu or predict.count=10. May be repeated."),
]
BatchOption = Annotated[int, number_option("--batch-size", int, 1, help="Images that are predicted together.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with what an earlier call has begun, if it has.")]
JsonOption = Annotated[bool, typer.Option("--json", help="End with one JSON object on standard output.")]
SafeOption = Annotated[
    bool, typer.Option("--safe-csv", help="Write ' before names that a spreadsheet would take for a formula.")
]

BATCH = 32
"""Images that are predicted together where nothing else is asked for."""

INTERVAL = 5.0
"""Seconds between two lines on progress."""


class Pace:
    """Progress of one piece of work: a bar on a terminal, else now and then a line; both with the time that is left.

    Args:
        talk: Where it is told.
        what: The work.
        total: How much there is.
        done: How much was done before.
    """

    def __init__(self, talk: Talk, what: str, total: int, done: int = 0) -> None:
        self.talk, self.what, self.total, self.first = talk, what, total, done
        self._begun = self._last = time.monotonic()

    def at(self, done: int) -> None:
        """So much is done."""
        if self.talk.live:
            return self.talk.work(done, self.total, self.what)
        now = time.monotonic()
        if now - self._last >= INTERVAL and done > self.first:
            left = (now - self._begun) / (done - self.first) * (self.total - done)
            self._last = now
            self.talk.line(f"{self.what}: {done:,}/{self.total:,}, {human_seconds(left)} left")


def paced(talk: Talk) -> Callable[[int, int, str], None]:
    """Progress of several pieces of work, one after the other, as the engine tells of it."""
    paces: dict[str, Pace] = {}

    def tell(done: int, total: int, what: str) -> None:
        pace = paces.setdefault(what, Pace(talk, what, total))
        pace.total = total
        pace.at(done)

    return tell


def talk_beside(standard_output: bool) -> Talk:
    """Where a verb speaks: to standard error where standard output belongs to a table or to JSON."""
    return talking(stderr=standard_output)


def say(summary: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    typer.echo(as_json(summary))


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON that every program reads: names of any bytes can be written, and what is no finite number is null."""
    return json.dumps(_plain(value), ensure_ascii=False, indent=indent, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_plain(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return readable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
