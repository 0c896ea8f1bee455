"""Where a run speaks: as a plugin shows it to a person, or to a program, by the logger ``rankhub``."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.streams import Lasting
from rankhub.interfaces.talk import Talk, TrainingStep

log = logging.getLogger("rankhub")


class LoggedTalk(Talk):
    """For a program: all goes to the logger ``rankhub``, but for progress, which ``shown`` draws."""

    def __init__(self, shown: Talk) -> None:
        super().__init__()
        self.shown, self.live = shown, shown.live

    def line(self, text: str = "") -> None:
        """For the log."""
        if text:
            log.info("%s", text)

    def note(self, text: str) -> None:
        """For the log, as a warning."""
        log.warning("%s", text)

    def work(self, done: int, total: int, what: str) -> None:
        """Drawn, if anything is."""
        if self.live:
            self.shown.work(done, total, what)

    def step(self, at: TrainingStep) -> None:
        """Drawn, if anything is."""
        if self.live:
            self.shown.step(at)

    def finish(self) -> None:
        """Nothing is drawn any more."""
        self.shown.finish()


class _Telling(Talk):
    """Tells a function of a program how far the work is."""

    live = True

    def __init__(self, tell: Callable[[int, int, str], None]) -> None:
        super().__init__()
        self.tell = tell

    def work(self, done: int, total: int, what: str) -> None:
        self.tell(done, total, what)

    def step(self, at: TrainingStep) -> None:
        self.tell(at.number, at.steps, "training")


def talk_for(progress: Any, catalog: Catalog) -> Talk:
    """Where a run speaks; see :data:`rankhub.api.Progress`."""
    if isinstance(progress, Talk):
        return progress
    if callable(progress):
        return LoggedTalk(_Telling(progress))
    return LoggedTalk(Talk() if progress is False else catalog.talk(sys.stdout))


def talking(*, stderr: bool = False, catalog: Catalog | None = None) -> Talk:
    """Where a verb speaks to people: lines, notes, tables, progress of long work.

    Warnings of engine and plugins are shown there as notes, in the place of any that listened before. Of several
    processes only the first one speaks.

    Args:
        stderr: Whether it speaks beside standard output, which then belongs to a table.
        catalog: The plugins; None = those that are installed.
    """
    file: Any = Lasting("stderr" if stderr else "stdout")  # work goes on though nobody listens any more
    first = os.environ.get("RANK", "0") == "0"
    talk = (catalog or Catalog.discover()).talk(file) if first else Talk()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            talk.note(record.getMessage())

    log.handlers = [Handler()]
    log.propagate = False
    return talk
