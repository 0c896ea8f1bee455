"""Official plugin: one process at a time trains a run. A base for plugins that work in folders of their own."""

from contextlib import AbstractContextManager
from pathlib import Path

import rankhub
from rankhub_lock.lock import held as held
from rankhub_lock.lock import locked as locked

RUNNING = "running.json"
"""In the folder of a run while a process trains it."""


@rankhub.hookimpl
def rankhub_around_run(folder: Path) -> AbstractContextManager[None]:
    """Only the processes of one run work in its folder."""
    return locked(folder / RUNNING, sentence=f"another process trains the run {folder}; let it end, or stop it")
