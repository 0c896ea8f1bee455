"""Compares methods fairly: equal encoder forwards, several seeds, settings from an equal number of trials.

    python tools/compare_methods.py tools/comparisons/tinyimagenet.yaml DATA --out OUT   # 80 minutes on two cores
    python tools/compare_methods.py PLAN DATA --out OUT --list                            # what would be run
    python tools/compare_methods.py PLAN DATA --out OUT --only-report                     # from what is there

PLAN names the methods, what they share and what is searched (see the one above); DATA takes the place of ``{root}`` in
it. For each method the trials are run first, on a part of the training images, and judged on the part held out of
them; then the best setting is trained on all training images for each seed, and judged on the test images, which
nothing has seen before. Every run goes through the command line (``rankhub run``) in a process of its own.

OUT gets a folder for each run, ``trials.csv``, ``table.csv``, ``table.md`` and ``figure.png``, written anew whenever a
final run ends. Start it again after Ctrl-C, or after a change of the plan: runs that are there are not repeated, one
that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from comparison.jobs import Comparison, Job, expected, ordered
from comparison.plan import PlanError, load_plan
from comparison.queue import Queue, command
from comparison.report import write_report
from comparison.results import RunError, is_done, metrics


def score(comparison: Comparison, job: Job) -> float | None:
    """The metric by which trials are chosen; None if the run is not there."""
    return metrics(job.folder).get(comparison.plan.choose) if is_done(job) else None


def listed(comparison: Comparison, names: Sequence[str]) -> None:
    """Print the runs that can be said now."""
    for job in ordered(comparison, names, lambda job: score(comparison, job), is_done):
        print(f"{'done' if is_done(job) else 'to do':6}{job.title:28}{job.forwards:>10,} forwards  {job.setting}")
        if not is_done(job):
            print("      " + shlex.join(command(job)))


def run(comparison: Comparison, names: Sequence[str], width: int) -> bool:
    """Do all runs that are not there; returns whether all are there then."""
    begun = time.monotonic()

    def jobs(is_over: Callable[[Job], bool]) -> Iterator[Job]:
        return ordered(comparison, names, lambda job: score(comparison, job), is_over)

    def later(jobs: Sequence[Job]) -> Sequence[Job]:
        return expected(comparison, names, jobs)

    def done(job: Job, seconds: float, left: float) -> None:
        value = score(comparison, job)
        found = f"{comparison.plan.choose} {value:.3f}, " if value is not None else ""
        clock = f"{(time.monotonic() - begun) / 60:.0f} min, about {left / 60:.0f} min left"
        print(f"{job.title:28}{found}{seconds:.0f} s  [{clock}]  {job.setting}", flush=True)
        if job.kind == "final":
            write_report(comparison, names)

    def failed(job: Job, log: Path) -> None:
        print(f"{job.title} failed, the others go on; the end of {log}:", flush=True)
        print("".join(f"    {line}\n" for line in log.read_text().splitlines()[-6:]), flush=True)

    return Queue(jobs, width, comparison.threads, later, done, failed).work()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path, help="a YAML file such as tools/comparisons/tinyimagenet.yaml")
    parser.add_argument("data", type=Path, help="the data set's folder: {root} in the plan")
    parser.add_argument("--out", type=Path, default=Path("runs/comparison"), help="default: %(default)s")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="only these of the plan")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time; default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each run; default: %(default)s")
    parser.add_argument("--only-report", action="store_true", help="write table and figure from what is there")
    parser.add_argument("--list", action="store_true", help="print the runs with their commands, and stop")
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"{options.data.absolute()} is no folder")
    if options.jobs < 1 or options.threads < 1:
        parser.error("--jobs and --threads are at least 1")
    try:
        plan = load_plan(options.plan, options.data)
    except PlanError as error:
        parser.error(str(error))
    names = options.methods or list(plan.methods)
    unknown = [name for name in names if name not in plan.methods]
    if unknown:
        parser.error(f"the plan has no method {', '.join(unknown)}; it has {', '.join(plan.methods)}")
    comparison = Comparison(plan, options.plan.absolute().parent, options.out, options.threads)
    if options.list:
        listed(comparison, names)
        return 0
    try:
        complete = True if options.only_report else run(comparison, names, options.jobs)
        print(write_report(comparison, names) or "no final run is there yet")
    except RunError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    if not complete:
        print("Not all runs are there. Start the same command again to go on.", file=sys.stderr)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
