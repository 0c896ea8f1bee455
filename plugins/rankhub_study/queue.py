"""Does jobs, some at a time, each in a process of its own; what is there is not repeated."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from rankhub.interfaces.errors import ENDING
from rankhub_study.choice import Jobs
from rankhub_study.jobs import Job
from rankhub_study.records import read_record
from rankhub_study.worker import ERROR, JobTask, beside, work

POLL = 0.2
HARD = (signal.SIGINT, signal.SIGTERM)
"""Signals of which a second one ends the jobs at once."""

PRELOAD = ["rankhub_study.worker", "timm", "sklearn.linear_model", "skimage.metrics", "matplotlib.pyplot"]
"""Imported once, by the process that all jobs are forked from: for short jobs imports cost as much as training."""


@dataclass
class JobQueue:
    """Jobs, some of them at the same time.

    Attributes:
        jobs: Of the plan; those that fail are noted as lost.
        task: What the process of a job is told.
        width: Jobs at a time.
        threads: CPU threads of each.
        ended: Called with each job that is over, its sentence if it has failed, and the seconds that are left.
        progress: Called after each with the number of jobs that are over, and of all.
        stopped: The signal that stopped the work, if one has.
    """

    jobs: Jobs
    task: Callable[[Job], JobTask]
    width: int
    threads: int
    ended: Callable[[Job, str | None, float], None]
    progress: Callable[[int, int], None]
    _running: dict[Path, tuple[Job, Any]] = field(default_factory=dict)
    stopped: str = ""
    _signals: int = 0

    def work(self) -> bool:
        """Do all jobs that are not there; returns whether it came to the end, and was not stopped.

        Ctrl-C lets each job write its checkpoint and end; a second one ends them at once.
        """
        said = self.jobs.said()
        with self._listening():
            while self._running or not self._signals:
                if not self._signals:
                    self._fill(said)
                if not self._running:
                    break
                time.sleep(POLL)
                over = [(job, process) for job, process in self._running.values() if process.exitcode is not None]
                for job, _ in over:
                    del self._running[job.folder]
                if over:  # what can be said may depend on them
                    said = self.jobs.said()
                for job, process in over:
                    self._over(job, process.exitcode, said)
                    self.progress(sum(map(self._is_over, said)), len(said) + len(self.jobs.waiting()))
        return not self._signals

    @contextmanager
    def _listening(self) -> Iterator[None]:
        numbers = [signal.Signals[name] for name in ENDING if hasattr(signal, name)]
        free = [one for one in numbers if one in HARD or signal.getsignal(one) == signal.SIG_DFL]
        before = {number: signal.signal(number, self._interrupt) for number in free}
        try:
            yield
        finally:
            for _, process in self._running.values():
                process.kill()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._signals and number not in HARD:  # a terminal that closes sends several
            return
        self.stopped = self.stopped or signal.Signals(number).name
        for _, process in self._running.values():
            if process.pid is not None and process.exitcode is None:
                os.kill(process.pid, signal.SIGKILL if self._signals else signal.SIGINT)
        self._signals += 1

    def _fill(self, said: Sequence[Job]) -> None:
        for job in said:
            if len(self._running) >= self.width:
                return
            if self._is_over(job) or job.folder in self._running:
                continue
            if job.start is not None and job.start.folder in self.jobs.lost:
                self._lose(job, f"what it starts from has failed: {job.start.title}", said)
            elif job.start is None or job.start.done:
                self._running[job.folder] = (job, self._begun(self.task(job)))

    def _begun(self, task: JobTask) -> Any:
        """A process, from a server that has everything imported where the system has one."""
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(self.threads)  # before the server starts, which hands them on
        served = "forkserver" in multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if served else "spawn")
        if served:
            context.set_forkserver_preload(PRELOAD)
        process = context.Process(target=work, args=(task,))
        process.start()
        return process

    def _is_over(self, job: Job) -> bool:
        return job.folder in self.jobs.lost or job.done

    def _lose(self, job: Job, said: str, jobs: Sequence[Job]) -> None:
        self.jobs.lost.add(job.folder)
        self.ended(job, said, self.left(jobs))

    def _over(self, job: Job, code: int, said: Sequence[Job]) -> None:
        error = beside(job.folder, ERROR)
        if job.done:
            self.ended(job, None, self.left(said))
        elif not self._signals or error.is_file():
            why = (
                error.read_text("utf-8", "replace").strip()
                if error.is_file()
                else f"its process ended with code {code}"
            )
            self._lose(job, f"{why}\n  its output: {beside(job.folder, 'log')}", said)

    def left(self, said: Sequence[Job]) -> float:
        """An estimate of the seconds that are left; 0 while nothing is known.

        A job is expected to take the mean of its method and kind, else of its kind, else of all; less what is done of
        those that run.
        """
        known = [(job, float(record["seconds"])) for job in said if (record := read_record(job.folder)) is not None]
        if not known:
            return 0.0

        def mean(method: str, *kinds: str) -> float:
            same = [(job, seconds) for job, seconds in known if job.kind in kinds]
            own = [(job, seconds) for job, seconds in same if job.method == method]
            return statistics.fmean(seconds for _, seconds in own or same or known)

        ahead = sum(mean(job.method, job.kind) for job in said if not self._is_over(job))
        ahead += sum(mean(method, "final", "rounds") for method in self.jobs.waiting())
        done = sum(_share(job) * mean(job.method, job.kind) for job, _ in self._running.values())
        return max(0.0, ahead - done) / self.width


def _share(job: Job) -> float:
    """What is done of a job's steps, by the last line that it has logged."""
    file = job.folder / "metrics.jsonl"
    if not job.steps or not file.is_file():
        return 0.0
    try:
        lines = file.read_bytes().splitlines()
        return min(1.0, float(json.loads(lines[-1])["step"]) / job.steps) if lines else 0.0
    except (OSError, ValueError, KeyError, TypeError):  # a line that is being written
        return 0.0
