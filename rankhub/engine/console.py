"""Output of a run: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rankhub.interfaces.streams import Lasting

if TYPE_CHECKING:  # what speaks to people needs no torch
    from rankhub.engine.plan import PhasePlan
    from rankhub.engine.step import Stepped

log = logging.getLogger("rankhub")

PLAIN_INTERVAL = 5.0
"""Seconds between plain lines."""


class Talk:
    """Prints for a person, or for a log file; ``console`` is where to."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self.live = self.console.is_terminal or self.console.is_jupyter
        self._bar: Progress | None = None
        self._task: Any = None
        self._what: str | None = None
        self._last = 0.0

    def line(self, text: str = "") -> None:
        """One line."""
        self.console.print(escape(text))

    def note(self, text: str) -> None:
        """A line that stands out on a terminal."""
        self.console.print(f"[yellow]note:[/yellow] {escape(text)}")

    def pairs(self, pairs: Mapping[str, str]) -> None:
        """Aligned ``name  value`` lines."""
        width = max(map(len, pairs)) + 2
        for name, value in pairs.items():
            self.console.print(f"[bold]{name:<{width}}[/bold]{escape(value)}")

    def work(self, done: int, total: int, what: str) -> None:
        """Progress of something that is not training: opening data, evaluating."""
        if self.live:
            self._show(what, what, done, total)
            if done >= total:
                self.finish()
        elif what != self._what:
            self._what, self._last = what, time.monotonic()
        elif time.monotonic() - self._last >= PLAIN_INTERVAL:
            self._last = time.monotonic()
            self._plain(f"{what}: {done}/{total}")

    def step(self, number: int, steps: int, plan: PhasePlan, stepped: Stepped, speed: float) -> None:
        """Progress of training, after step ``number`` of ``steps``."""
        done = number - plan.first_step
        epoch = min(done // plan.steps_per_epoch + 1, max(1, -(-plan.steps // plan.steps_per_epoch)))
        text = f"{plan.phase.name} epoch {epoch}  loss {stepped.losses['loss']:.4f}  {speed:,.0f} views/s"
        if self.live:
            self._show("training", text, number, steps)
        elif time.monotonic() - self._last >= PLAIN_INTERVAL or number == steps:
            self._last = time.monotonic()
            left = (steps - number) * stepped.views / speed if speed > 0 else 0.0
            self._plain(f"step {number}/{steps}  {text}  {human_seconds(left)} left")

    def _plain(self, text: str) -> None:
        """Progress where there is no bar."""
        self.line(text)

    def _show(self, what: str, text: str, done: int, total: int) -> None:
        """Move the bar of this work; one of other work is taken away before."""
        if what != self._what or self._bar is None:
            self.finish()
            self._what, self._bar = (
                what,
                Progress(
                    TextColumn("{task.description}"),
                    BarColumn(bar_width=24),
                    MofNCompleteColumn(),
                    TimeElapsedColumn(),
                    TextColumn("left"),
                    TimeRemainingColumn(),
                    console=self.console,
                    transient=True,
                    speed_estimate_period=120,
                ),
            )
            self._bar.start()
            self._task = self._bar.add_task(text, total=total)
        self._bar.update(self._task, completed=done, total=total, description=text)

    def finish(self) -> None:
        """Take the progress bar away; must be called before anything else is printed."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._what = None

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """A small table; numbers with three decimals, the last row bold.

        Where it is too wide it is turned on its side, and where that is too wide too each number has its own line, so
        that no name is ever cut.
        """
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [
            [f"{row[c]:.3f}" if isinstance(row.get(c), float) else str(row.get(c, "")) for c in columns] for row in rows
        ]
        upright = [columns, *cells]
        for grid in (upright, list(zip(*upright, strict=True))):
            table = Table(box=None, pad_edge=False, header_style="bold")
            for number, head in enumerate(grid[0]):
                last = "bold" if grid is not upright and number == len(rows) else ""
                title = escape(head).replace(" ", "\n", 1)
                table.add_column(title, justify="right" if number else "left", no_wrap=True, style=last)
            for line in grid[1:]:
                table.add_row(*map(escape, line), style="bold" if line is cells[-1] else "")
            if (
                self.console.measure(table, options=self.console.options.update(max_width=10**6)).maximum
                <= self.console.width
            ):
                return self.console.print(table)
        for first, *others in cells:
            self.line(f"{columns[0]} {first}".strip())
            for column, cell in zip(columns[1:], others, strict=True):
                self.line(f"  {column}  {cell}")


class LoggedTalk(Talk):
    """Progress for a program: a bar, or ``tell(done, total, what)``; all else goes to the logger ``rankhub``."""

    def __init__(self, console: Console, tell: Callable[[int, int, str], None] | None = None) -> None:
        super().__init__(console)
        self.tell = tell
        self.live = self.live or tell is not None

    def line(self, text: str = "") -> None:
        """For the log."""
        if text:
            log.info("%s", text)

    def note(self, text: str) -> None:
        """For the log, as a warning."""
        log.warning("%s", text)

    def pairs(self, pairs: Mapping[str, str]) -> None:
        """For the log."""
        for name, value in pairs.items():
            log.info("%s: %s", name, value)

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """For the log."""
        for row in rows:
            log.info("%s", ", ".join(f"{name} {value}".strip() for name, value in row.items()))

    def _plain(self, text: str) -> None:
        """Progress is not for the log."""

    def _show(self, what: str, text: str, done: int, total: int) -> None:
        if self.tell is not None:
            self.tell(done, total, what)
        else:
            super()._show(what, text, done, total)


def talk_for(progress: Talk | Callable[[int, int, str], None] | bool | None) -> Talk:
    """Where a run speaks; see :data:`rankhub.api.Progress`."""
    if isinstance(progress, Talk):
        return progress
    return LoggedTalk(Console(quiet=progress is False), progress if callable(progress) else None)


def talking(*, stderr: bool = False) -> Talk:
    """Where a verb speaks to people: lines, notes, tables, progress of long work.

    Warnings of engine and plugins are shown there as notes, in the place of any that listened before. Of several
    processes only the first one speaks.

    Args:
        stderr: Whether it speaks beside standard output, which then belongs to a table.
    """
    quiet = os.environ.get("RANK", "0") != "0"
    file: Any = Lasting("stderr" if stderr else "stdout")  # work goes on though nobody listens any more
    talk = Talk(Console(file=file, quiet=quiet, highlight=False, soft_wrap=True))

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            talk.note(record.getMessage())

    logger = logging.getLogger("rankhub")
    logger.handlers = [Handler()]
    logger.propagate = False
    return talk


def human_seconds(seconds: float) -> str:
    """``2 h 05 min``."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days {hours % 24} h"
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
