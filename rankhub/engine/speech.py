"""Where a run speaks: where a program says, or to it, by the logger ``rankhub``."""

import logging
from typing import Any

from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.talk import Talk, TrainingStep

log = logging.getLogger("rankhub")


class _Logged(Talk):
    """Speaks to the logger, and shows progress by another, if that draws it; or by a function of the program."""

    def __init__(self, shown: Talk, tell: Any = None) -> None:
        super().__init__()
        self.shown, self.tell = shown, tell
        self.live = shown.live or tell is not None

    def line(self, text: str = "") -> None:
        if text:
            log.info("%s", text)

    def note(self, text: str) -> None:
        log.warning("%s", text)

    def work(self, done: int, total: int, what: str) -> None:
        if self.live:
            (self.tell or self.shown.work)(done, total, what)

    def step(self, at: TrainingStep) -> None:
        if self.tell is not None:
            self.tell(at.number, at.steps, "training")
        elif self.live:
            self.shown.step(at)

    def finish(self) -> None:
        self.shown.finish()


def talk_for(progress: Any, catalog: Catalog) -> Talk:
    """Where a run speaks; see :data:`rankhub.api.Progress`."""
    if isinstance(progress, Talk):
        return progress
    tell = progress if callable(progress) else None
    return _Logged(Talk() if tell or progress is False else catalog.talk("stdout"), tell)
