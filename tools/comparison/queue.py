"""Does runs, some at a time, each in a process of its own; what is there is not repeated."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from comparison.jobs import Job
from comparison.preloaded import Preloaded
from comparison.results import is_done, read_record, write_record

POLL = 0.2
STOPPED = 130
"""Exit code of a run that Ctrl-C has ended; it can be resumed."""

Jobs = Callable[[Callable[[Job], bool]], Iterable[Job]]
"""Given what is over, the runs that can be said now, in order."""


def command(job: Job) -> list[str]:
    """The command line of a run: from its beginning, or going on where it was interrupted."""
    rankhub = [sys.executable, "-m", "rankhub", "run"]
    if (job.folder / "recipe.resolved.yaml").is_file():
        return [*rankhub, "--resume", str(job.folder)]
    return [*rankhub, job.recipe, *job.overrides, "--out", str(job.folder)]


@dataclass
class Queue:
    """Runs, some of them at the same time.

    Attributes:
        jobs: The runs that can be said now.
        width: Runs at a time.
        threads: CPU threads of each.
        expected: Given the runs that can be said now, those that will come on top, for the estimate.
        done: Called with each run that has ended well, its seconds, and the estimate of the seconds that are left.
        failed: Called with each run that has not ended well, and its log.
        preload: Start runs from a server that has everything imported; for many short runs.
    """

    jobs: Jobs
    width: int
    threads: int
    expected: Callable[[Sequence[Job]], Sequence[Job]]
    done: Callable[[Job, float, float], None]
    failed: Callable[[Job, Path], None]
    preload: bool = False
    _running: dict[Path, _Running] = field(default_factory=dict)
    _lost: set[Path] = field(default_factory=set)
    _stop: bool = False

    def work(self) -> bool:
        """Do all runs; returns whether all are there.

        Ctrl-C (or a polite kill) lets each run write its checkpoint and end; a second one ends them at once.
        """
        before = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while self._running or not self._stop:
                if not self._stop:
                    self._fill()
                if not self._running:
                    break
                time.sleep(POLL)
                for folder in [folder for folder, one in self._running.items() if one.process.poll() is not None]:
                    self._ended(self._running.pop(folder))
        finally:
            for running in self._running.values():
                running.process.kill()
            for number, handler in before.items():
                signal.signal(number, handler)
        return not self._stop and not self._lost and all(map(is_done, self.jobs(self._over)))

    def _fill(self) -> None:
        for job in self.jobs(self._over):
            if len(self._running) >= self.width:
                return
            if job.folder not in self._running and not self._over(job):
                self._running[job.folder] = _Running(job, self.threads, self.preload)

    def _over(self, job: Job) -> bool:
        return job.folder in self._lost or is_done(job)

    def _ended(self, running: _Running) -> None:
        job, code = running.job, running.process.returncode
        seconds = time.monotonic() - running.since
        if code == 0:
            write_record(job, seconds)
            self.done(job, seconds, self._left())
        elif not (self._stop and code in (STOPPED, -signal.SIGINT, -signal.SIGKILL)):
            self._lost.add(job.folder)
            self.failed(job, running.log)

    def _left(self) -> float:
        jobs = list(self.jobs(self._over))
        seconds = {job.folder: _recorded(job) for job in jobs if is_done(job)}
        return seconds_left([*jobs, *self.expected(jobs)], self._over, seconds, self.width)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        for running in self._running.values():
            running.process.send_signal(signal.SIGKILL if self._stop else signal.SIGINT)
        self._stop = True


class _Running:
    """A run that is being done, in a session of its own: Ctrl-C comes to it from here alone, and once."""

    process: subprocess.Popen[bytes] | Preloaded

    def __init__(self, job: Job, threads: int, preload: bool) -> None:
        self.job, self.since = job, time.monotonic()
        self.log = job.folder.with_suffix(".log")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        line = command(job)
        if "--resume" not in line and job.folder.exists():
            shutil.rmtree(job.folder)  # it ended before its recipe was written
        variables = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        if preload:
            os.environ.update(variables)  # before the server starts, which hands them on
            self.process = Preloaded(line[line.index("rankhub") + 1 :], self.log)
            return
        environment = os.environ | variables
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )


def _recorded(job: Job) -> float:
    return float(read_record(job)["seconds"])


def seconds_left(jobs: Sequence[Job], is_over: Callable[[Job], bool], seconds: dict[Path, float], width: int) -> float:
    """An estimate from the runs that are there.

    A run is expected to take the mean of its kind; a kind of which none is there takes the mean seconds per encoder
    forward of the others.

    Args:
        jobs: All runs.
        is_over: Which of them need not be waited for.
        seconds: Folder -> seconds of the runs that are there.
        width: Runs at a time.
    """
    known = [job for job in jobs if job.folder in seconds]
    if not known:
        return 0.0
    per_forward = sum(seconds[job.folder] for job in known) / sum(job.forwards for job in known)
    left = 0.0
    for job in jobs:
        if not is_over(job):
            same = [seconds[one.folder] for one in known if one.kind == job.kind]
            left += sum(same) / len(same) if same else per_forward * job.forwards
    return left / width
