"""Does runs and prints a line of each, with the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from comparison.jobs import Job
from comparison.queue import Jobs, Queue
from comparison.results import metrics

LAST_LINES = 6
"""Of the log of a run that failed."""


def work(
    jobs: Jobs,
    width: int,
    threads: int,
    shown: tuple[str, str],
    expected: Callable[[Sequence[Job]], Sequence[Job]] = lambda said: (),
) -> bool:
    """Do all runs that are not there, from a server that has everything imported.

    Args:
        jobs: Given what is over, the runs that can be said now.
        width: Runs at a time.
        threads: CPU threads of each.
        shown: Metric of a run that its line shows, and how it is formatted: ``("quality srocc", "SROCC {:.3f}")``.
        expected: Given the runs that can be said now, those that will come on top, for the estimate of the time.

    Returns:
        Whether all are there then.
    """
    begun = time.monotonic()
    metric, form = shown

    def done(job: Job, seconds: float, left: float) -> None:
        value = metrics(job.folder).get(metric)
        found = f"{form.format(value)}, " if value is not None else ""
        clock = f"{(time.monotonic() - begun) / 60:.0f} min, about {left / 60:.0f} min left"
        print(f"{job.method} {job.setting}: {found}{seconds:.0f} s  [{clock}]", flush=True)

    def failed(job: Job, log: Path) -> None:
        print(f"{job.method} {job.setting} failed, the others go on; the end of {log}:", flush=True)
        lines = log.read_text().splitlines()[-LAST_LINES:] if log.is_file() else ["(it could not even be started)"]
        print("".join(f"    {line}\n" for line in lines), flush=True)

    return Queue(jobs, width, threads, expected, done, failed, preload=True).work()
