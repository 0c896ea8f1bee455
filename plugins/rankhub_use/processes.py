"""Verbs that several processes of a launcher do together: who speaks, and where each one's network is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import rankhub
from rankhub import Talk
from rankhub_train.together import joined
from rankhub_use.shell import talk_beside

if TYPE_CHECKING:
    from rankhub import Run
    from rankhub.interfaces.processes import Processes


@contextmanager
def working(beside: bool) -> Iterator[tuple[Processes, Talk]]:
    """This process among the others, and where it speaks: only the first one does.

    Args:
        beside: As for :func:`rankhub_use.shell.talk_beside`.
    """
    with joined() as processes:
        yield processes, talk_beside(beside) if processes.first else Talk()


@contextmanager
def answering(run: Path, changes: Sequence[str], processes: Processes) -> Iterator[Run]:
    """A run, loaded, on the device of this process; what it is measured by is shared with the others.

    Raises:
        UserError: As of :func:`rankhub.load_run`.
    """
    with rankhub.load_run(run, overrides=list(changes)) as trained:
        if processes.count > 1 and trained.device.type == "cuda":
            trained.to(f"cuda:{processes.local_rank}")
        trained.processes = processes
        yield trained
