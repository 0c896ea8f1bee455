"""Output of a run: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rankhub import Talk
from rankhub.interfaces.talk import TrainingStep
from rankhub_console.speech import human_seconds

PLAIN_INTERVAL = 5.0
"""Seconds between plain lines."""


class Terminal(Talk):
    """Prints for a person, or for a log file; ``console`` is where to."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.live = self.console.is_terminal or self.console.is_jupyter
        self._bar: Progress | None = None
        self._task: Any = None
        self._what: str | None = None
        self._last = 0.0

    @property
    def width(self) -> int:
        """Letters for which there is room in a line."""
        return self.console.width

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
            self.line(f"{what}: {done}/{total}")

    def step(self, at: TrainingStep) -> None:
        """Progress of training."""
        text = f"{at.phase} epoch {at.epoch}  loss {at.loss:.4f}  {at.speed:,.0f} views/s"
        if self.live:
            self._show("training", text, at.number, at.steps)
        elif time.monotonic() - self._last >= PLAIN_INTERVAL or at.number == at.steps:
            self._last = time.monotonic()
            self.line(f"step {at.number}/{at.steps}  {text}  {human_seconds(at.left)} left")

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
