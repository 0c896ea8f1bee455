"""Compares what labels, rankings, and both teach: runs the quickstart recipes of image quality and prints one table.

    python tools/compare_quality.py                          # three recipes, one seed
    python tools/compare_quality.py --seeds 0 1 2            # mean and standard deviation over seeds
    python tools/compare_quality.py --out OUT PATH=VALUE...  # overrides for every run

Every run goes through the command line (``rankhub run``) in a process of its own, as a user would start it. OUT gets
a folder for each run and ``table.csv``. Start it again after Ctrl-C: runs that are there are not repeated, one that was
interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from comparison.jobs import Job
from comparison.queue import Queue
from comparison.results import is_done, metrics
from comparison.table import write_lines
from rich.console import Console
from rich.table import Table

RECIPES = {
    "supervised only": "quality_quickstart_supervised",
    "ranking only": "quality_quickstart_ranking",
    "multi-task": "quality_quickstart",
}
EVALUATOR = "quality"
METRICS = {
    "srocc_by_reference": "SROCC, mean of photos",
    "srocc": "SROCC, pooled",
    "plcc_fitted": "PLCC, pooled, fitted",
    "rmse": "RMSE",
}
"""Of that evaluator. SSIM depends on the scene too (a blurred sky loses less than a blurred cat), which cannot
be known without the original: correlations inside a photo and over all of them tell different things."""
NEEDS_LABELS = frozenset({"rmse"})
"""Metrics in the unit of the labels, which ranking alone does not know."""

Figures = dict[str, float]


def job_of(title: str, seed: int, out: Path, overrides: Sequence[str]) -> Job:
    """One run; with overrides its folder ends in a digest of them, so that other overrides never take its figures."""
    digest = f"-{hashlib.sha256(chr(10).join(overrides).encode()).hexdigest()[:8]}" if overrides else ""
    folder = out / f"{RECIPES[title]}_seed{seed}{digest}"
    return Job(title, "final", seed, RECIPES[title], (f"seed={seed}", *overrides), 1, "", folder)


def run(jobs: Sequence[Job], threads: int) -> bool:
    """Do the runs that are not there, one after the other; returns whether all are there then."""

    def done(job: Job, seconds: float, left: float) -> None:
        print(f"{job.title}: {seconds:.0f} s, about {left:.0f} s left", flush=True)

    def failed(job: Job, log: Path) -> None:
        print(f"{job.title} failed, the others go on; the end of {log}:", file=sys.stderr)
        print("".join(f"    {line}\n" for line in log.read_text().splitlines()[-6:]), file=sys.stderr)

    return Queue(lambda is_over: jobs, 1, threads, lambda jobs: [], done, failed).work()


def figures(job: Job) -> Figures | None:
    """The metrics of the trained network; None if the run is not there, or has not measured them."""
    found = metrics(job.folder) if is_done(job) else {}
    there = {metric: found[f"{EVALUATOR} {metric}"] for metric in METRICS if f"{EVALUATOR} {metric}" in found}
    return there if len(there) == len(METRICS) else None


def summary(runs: Sequence[Figures], metric: str) -> tuple[float, float]:
    """Mean and sample standard deviation over seeds, 0 for one seed."""
    values = [one[metric] for one in runs]
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def cell(title: str, runs: Sequence[Figures], metric: str) -> str:
    """``.912 ± .010``; a dash where the figure has no meaning."""
    if metric in NEEDS_LABELS and title == "ranking only":
        return "–"
    mean, spread = summary(runs, metric)
    return f"{mean:.3f} ± {spread:.3f}" if len(runs) > 1 else f"{mean:.3f}"


def report(found: dict[str, list[Figures]], out: Path, console: Console) -> None:
    """Print the table, and write it to ``table.csv`` with all digits."""
    seeds = max(map(len, found.values()))
    over = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    table = Table(title=f"SSIM of distorted held-out photos, predicted without the original{over}")
    table.add_column("learned from")
    for name in METRICS.values():
        table.add_column(name, justify="right")
    lines = []
    for title, runs in found.items():
        table.add_row(title, *(cell(title, runs, metric) for metric in METRICS))
        means = {f"{metric} mean": summary(runs, metric)[0] for metric in METRICS}
        spreads = {f"{metric} std": summary(runs, metric)[1] for metric in METRICS}
        lines.append({"method": title, "seeds": len(runs), **means, **spreads})
    write_lines(out / "table.csv", lines)
    console.print(table)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="PATH=VALUE", help="for every run, as for `rankhub run`")
    parser.add_argument("--out", type=Path, default=Path("runs/quality"), help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    threads = os.cpu_count() or 1
    parser.add_argument("--threads", type=int, default=threads, help="CPU threads of a run; default: all, %(default)s")
    options = parser.parse_args()
    wrong = [line for line in options.overrides if "=" not in line]
    if wrong:
        parser.error(f"{wrong[0]} is no override; expected PATH=VALUE")
    if options.threads < 1:
        parser.error("--threads is at least 1")
    seeds = list(dict.fromkeys(options.seeds))
    jobs = {title: [job_of(title, seed, options.out, options.overrides) for seed in seeds] for title in RECIPES}
    complete = run([job for each in jobs.values() for job in each], options.threads)
    measured = {title: [found for job in each if (found := figures(job)) is not None] for title, each in jobs.items()}
    if there := {title: found for title, found in measured.items() if found}:
        report(there, options.out, Console())
    if not complete:
        print("Not all runs are there. Start the same command again to go on.", file=sys.stderr)
    elif bare := [job for each in jobs.values() for job in each if figures(job) is None]:
        print(f"{bare[0].folder} has no figures of the evaluator {EVALUATOR}; leave it in `evaluate`", file=sys.stderr)
        return 1
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
