"""Where verbs speak to people, and how long things last in words."""

import logging
import os

from rankhub import Catalog, Talk

log = logging.getLogger("rankhub")


def talking(*, stderr: bool = False, catalog: Catalog | None = None) -> Talk:
    """Where a verb speaks to people: lines, notes, tables, progress of long work.

    Warnings of engine and plugins are shown there as notes, in the place of any that listened before. Of several
    processes only the first one speaks.

    Args:
        stderr: Whether it speaks beside standard output, which then belongs to a table.
        catalog: The plugins; None = those that are installed.
    """
    first = os.environ.get("RANK", "0") == "0"
    talk = (catalog or Catalog.discover()).talk("stderr" if stderr else "stdout") if first else Talk()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            talk.note(record.getMessage())

    log.handlers = [Handler()]
    log.propagate = False
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
