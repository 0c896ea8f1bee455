"""What a run says: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rankhub.engine.estimate import human_seconds
from rankhub.engine.plan import PhasePlan
from rankhub.engine.step import Stepped

log = logging.getLogger("rankhub")

PLAIN_INTERVAL = 5.0
"""Seconds between plain lines."""


class Talk:
    """Prints for a person, or for a log file.

    Args:
        console: Where to; tests give their own.
    """

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
        if not self.live:
            if what != self._what:
                self._what, self._last = what, time.monotonic()
            elif time.monotonic() - self._last >= PLAIN_INTERVAL:
                self._last = time.monotonic()
                self.line(f"{what}: {done}/{total}")
            return
        if what != self._what:
            self.finish()
            self._what = what
            self._begin(what, total)
        assert self._bar is not None
        self._bar.update(self._task, completed=done, total=total)
        if done >= total:
            self.finish()

    def step(self, number: int, steps: int, plan: PhasePlan, stepped: Stepped, speed: float) -> None:
        """Progress of training, after step ``number`` of ``steps``."""
        done = number - plan.first_step
        epoch = min(done // plan.steps_per_epoch + 1, max(1, -(-plan.steps // plan.steps_per_epoch)))
        text = f"{plan.phase.name} epoch {epoch}  loss {stepped.losses['loss']:.4f}  {speed:,.0f} views/s"
        if self.live:
            if self._what != "training":
                self.finish()
                self._what = "training"
                self._begin(text, steps)
            assert self._bar is not None
            self._bar.update(self._task, completed=number, description=text)
            return
        now = time.monotonic()
        if now - self._last >= PLAIN_INTERVAL or number == steps:
            self._last = now
            left = (steps - number) * stepped.views / speed if speed > 0 else 0.0
            self.line(f"step {number}/{steps}  {text}  {human_seconds(left)} left")

    def _begin(self, what: str, total: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            speed_estimate_period=120,
        )
        self._bar.start()
        self._task = self._bar.add_task(what, total=total)

    def finish(self) -> None:
        """Take the progress bar away; must be called before anything else is printed."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._what = None

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """A small table; numbers with three decimals, the last row bold."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.replace(" ", "\n", 1), justify="right" if column else "left", no_wrap=not column)
        for row in rows:
            cells = [f"{row[c]:.3f}" if isinstance(row.get(c), float) else str(row.get(c, "")) for c in columns]
            table.add_row(*cells, style="bold" if row is rows[-1] else "")
        self.console.print(table)


class Told(Talk):
    """Progress for a program: a bar, or a function that is told; everything else goes to the logger ``rankhub``.

    Args:
        console: Where the bar goes; quiet = nowhere.
        tell: ``tell(done, total, what)``, called in place of drawing a bar.
    """

    def __init__(self, console: Console, tell: Callable[[int, int, str], None] | None = None) -> None:
        super().__init__(console)
        self.tell = tell

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

    def work(self, done: int, total: int, what: str) -> None:
        """Progress of something that is not training."""
        if self.tell is not None:
            self.tell(done, total, what)
        elif self.live:
            super().work(done, total, what)

    def step(self, number: int, steps: int, plan: PhasePlan, stepped: Stepped, speed: float) -> None:
        """Progress of training."""
        if self.tell is not None:
            self.tell(number, steps, "training")
        elif self.live:
            super().step(number, steps, plan, stepped, speed)


def talk_for(progress: Talk | Callable[[int, int, str], None] | bool | None) -> Talk:
    """Where a run speaks.

    Args:
        progress: None or True = a bar on a terminal and in a notebook; False = nothing; a function that is told; or
            where to speak.
    """
    if isinstance(progress, Talk):
        return progress
    return Told(Console(quiet=progress is False), progress if callable(progress) else None)


def listening(talk: Talk) -> Talk:
    """Let ``talk`` show the warnings of engine and plugins as notes, each in the place of any that listened before."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            talk.note(record.getMessage())

    logger = logging.getLogger("rankhub")
    logger.handlers = [Handler()]
    logger.propagate = False
    return talk
