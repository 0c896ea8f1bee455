"""Where runs and verbs speak: lines and notes, tables, progress of long work."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TextIO

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What is told after each step of training.

    ``number`` of the ``steps`` of the whole run are done; ``epoch`` of the ``phase`` counts from 1, ``speed`` is in
    views per second, 0 = not known yet; ``left`` are the seconds that the rest takes.
    """

    number: int
    steps: int
    phase: str
    epoch: int
    loss: float
    speed: float
    left: float


class Talk:
    """Speaks in plain lines, without progress. Plugins bring what shows more, see ``rankhub_talks``.

    Args:
        file: Where to; None = nowhere.
    """

    live: bool = False
    """Whether progress is redrawn in place."""

    def __init__(self, file: TextIO | None = None) -> None:
        self.file = file

    @property
    def width(self) -> int:
        """Letters for which there is room in a line."""
        return shutil.get_terminal_size().columns

    def line(self, text: str = "") -> None:
        """One line; nothing any more once whoever reads them has gone."""
        try:
            if self.file is not None:
                print(text, file=self.file, flush=True)
        except (OSError, ValueError):
            silence(self.file)

    def note(self, text: str) -> None:
        """A line that stands out."""
        self.line(f"note: {text}")

    def pairs(self, pairs: Mapping[str, str]) -> None:
        """Names with what they stand for."""
        for name, value in pairs.items():
            self.line(f"{name}: {value}")

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """A small table, a row for each mapping, which may lack columns."""
        for row in rows:
            self.line(", ".join(f"{name} {value}".strip() for name, value in row.items()))

    def work(self, done: int, total: int, what: str) -> None:
        """Progress of something that is not training: opening data, evaluating."""

    def step(self, at: TrainingStep) -> None:
        """Progress of training."""

    def finish(self) -> None:
        """No more progress is shown; called before anything else is said."""


def silence(stream: Any) -> None:
    """Let what is written from now on go nowhere, also by others who write to the same file."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
