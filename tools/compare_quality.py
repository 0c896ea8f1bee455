"""Compares what labels, rankings, and both teach: runs the quickstart recipes of image quality and prints one table.

    python tools/compare_quality.py                          # three recipes, one seed
    python tools/compare_quality.py --seeds 0 1 2            # mean and standard deviation over seeds
    python tools/compare_quality.py --out OUT PATH=VALUE...  # overrides for every run

Every run goes through the command line (``rankhub run``) in a process of its own, as a user would start it. OUT gets
a folder for each run and ``table.csv``; runs that are there are not repeated.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

RECIPES = {
    "supervised only": "quality_quickstart_supervised",
    "ranking only": "quality_quickstart_ranking",
    "multi-task": "quality_quickstart",
}
METRICS = {
    "srocc_by_reference": "SROCC, mean of photos",
    "srocc": "SROCC, pooled",
    "plcc_fitted": "PLCC, pooled, fitted",
    "rmse": "RMSE",
}
"""Of the evaluator `quality`. SSIM depends on the scene too (a blurred sky loses less than a blurred cat), which cannot
be known without the original: correlations inside a photo and over all of them tell different things."""
NEEDS_LABELS = frozenset({"rmse"})
"""Metrics in the unit of the labels, which ranking alone does not know."""

Figures = dict[str, float]


def command(recipe: str, seed: int, folder: Path, overrides: Sequence[str]) -> list[str]:
    """The run as a user would start it."""
    return [sys.executable, "-m", "rankhub", "run", recipe, f"seed={seed}", *overrides, "--out", str(folder)]


def name_of(title: str, seed: int, overrides: Sequence[str]) -> str:
    """A run's folder; with overrides it ends in a digest of them, so that other overrides never take its figures."""
    digest = f"-{hashlib.sha256(chr(10).join(overrides).encode()).hexdigest()[:8]}" if overrides else ""
    return f"{RECIPES[title]}_seed{seed}{digest}"


def figures(folder: Path) -> Figures | None:
    """The metrics of the trained network; None if the run has not come to its end."""
    path = folder / "evaluation" / "after_training" / "metrics.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text())["quality"]["metrics"]
    return {metric: float(found[metric]) for metric in METRICS}


def run(title: str, seed: int, out: Path, overrides: Sequence[str]) -> Figures | None:
    """One run, if it is not there yet; None if it fails, of which the end of its log is printed."""
    folder = out / name_of(title, seed, overrides)
    found = figures(folder)
    if found is not None:
        return found
    log = out / f"{folder.name}.log"
    begun = time.monotonic()
    with log.open("w") as file:
        code = subprocess.run(command(RECIPES[title], seed, folder, overrides), stdout=file, stderr=file).returncode
    found = figures(folder) if code == 0 else None
    if found is None:
        print(f"{title}, seed {seed} failed; the end of {log}:", file=sys.stderr)
        print("".join(f"    {line}\n" for line in log.read_text().splitlines()[-6:]), file=sys.stderr)
    else:
        print(f"{title}, seed {seed}: {time.monotonic() - begun:.0f} s", flush=True)
    return found


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
    with (out / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    console.print(table)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="PATH=VALUE", help="for every run, as for `rankhub run`")
    parser.add_argument("--out", type=Path, default=Path("runs/quality"), help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="default: 0")
    options = parser.parse_args()
    wrong = [line for line in options.overrides if "=" not in line]
    if wrong:
        parser.error(f"{wrong[0]} is no override; expected PATH=VALUE")
    options.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Figures]] = {}
    complete = True
    for title in RECIPES:
        runs = [run(title, seed, options.out, options.overrides) for seed in options.seeds]
        there = [one for one in runs if one is not None]
        complete = complete and len(there) == len(runs)
        if there:
            found[title] = there
    if found:
        report(found, options.out, Console())
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
