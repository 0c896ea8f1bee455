"""Starts runs in processes that have everything imported: for many short runs, imports cost as much as training."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

MODULES = [
    "rankhub.cli.run",
    "rankhub.engine.run",
    "timm",
    "sklearn.linear_model",
    "skimage.metrics",
    "matplotlib.pyplot",
]


class Preloaded:
    """A process started from a server that has imported :data:`MODULES`; looks like ``subprocess.Popen`` to the queue.

    Args:
        line: Arguments after ``python -m``; the module is ``rankhub``.
        log: Where its output goes, appended.
    """

    def __init__(self, line: Sequence[str], log: Path) -> None:
        self._process: ForkServerProcess = _context().Process(target=_work, args=(list(line), str(log)))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal if it still runs."""
        if self._process.pid is not None and self._process.exitcode is None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    return context


def _work(line: list[str], log: str) -> None:
    os.setsid()
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    from rankhub.cli.main import execute

    code = execute(line)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
