"""Official plugin: one process at a time trains a run. A base for plugins that work in folders of their own."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

import rankhub
from rankhub_lock.lock import held as held
from rankhub_lock.lock import locked as locked

RUNNING = "running.json"
"""In the folder of a run while a process trains it."""

LAUNCHED, PATIENCE = "TORCHELASTIC_RUN_ID", 60.0
"""Variable of torchrun, which starts processes anew; and seconds in which those that it has lost end by themselves."""


@rankhub.hookimpl
def rankhub_around_run(folder: Path) -> AbstractContextManager[None]:
    """Only the processes of one run work in its folder."""
    sentence = f"another process trains the run {folder}; let it end, or stop it"
    return locked(folder / RUNNING, sentence=sentence, patience=PATIENCE if LAUNCHED in os.environ else 0.0)
