"""The table of the measurement: errors by number of labels, as CSV and as markdown."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from comparison.results import is_done, metrics
from comparison.spread import spread

from counting_study.figure import draw
from counting_study.results import BASELINE, Result, errors, gains, read
from counting_study.runs import Runs
from counting_study.settings import METHODS

METRICS = {"mae": "MAE", "rmse": "RMSE"}


def found(runs: Runs) -> list[Result]:
    """All final runs that are there."""
    read_all = (read(runs.final(name, labels, seed), labels) for name, labels, seed in runs.finals())
    return [one for one in read_all if one is not None]


def write_report(runs: Runs) -> str:
    """Write ``table.csv``, ``table.md`` and ``figure.png``; returns the text of the table."""
    results = found(runs)
    if not results:
        return "no run with labels is there yet"
    out = runs.study.out
    write_csv(out / "table.csv", results)
    counts = sorted({one.labels for one in results})
    parts = [*(table(results, counts, metric) for metric in METRICS), against(results, counts), *notes(runs, results)]
    text = "\n\n".join(parts) + "\n"
    (out / "table.md").write_text(text)
    images = runs.study.images
    draw(results, f"{images.held_out} test images of {images.root.name}", images.unit, out / "figure.png")
    return text


def write_csv(path: Path, results: Sequence[Result]) -> None:
    """One line a run, all numbers in full."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(results[0])))
        writer.writeheader()
        writer.writerows({**asdict(one), "folder": one.folder.name} for one in results)


def table(results: Sequence[Result], counts: Sequence[int], metric: str) -> str:
    """Mean and standard deviation over seeds of one metric, a column for each number of labels."""
    lines = [heads(METRICS[metric], counts)]
    for name, title in {BASELINE: "mean count of the labeled", **titles()}.items():
        cells = [list(errors(results, name, count, metric).values()) for count in counts]
        if any(cells):
            lines.append(f"| {title} | " + " | ".join(cell(values) for values in cells) + " |")
    return "\n".join(lines)


def against(results: Sequence[Result], counts: Sequence[int]) -> str:
    """The same for the MAE's difference to supervised training, seed by seed, in percent."""
    lines = [heads("MAE against supervised, %", counts)]
    for name, title in titles().items():
        cells = [gains(results, name, count) for count in counts]
        if name != "supervised" and any(cells):
            lines.append(f"| {title} | " + " | ".join(cell(values, 0, "+") for values in cells) + " |")
    return "\n".join(lines)


def titles() -> dict[str, str]:
    """Title of each method."""
    return {name: method.title for name, method in METHODS.items()}


def heads(what: str, counts: Sequence[int]) -> str:
    """The first two lines of a table."""
    columns = " | ".join(f"{count} labels" for count in counts)
    return f"| {what} | {columns} |\n|---" + "|---:" * len(counts) + "|"


def cell(values: Sequence[float], digits: int = 1, sign: str = "") -> str:
    """``4.2 ± 0.3``; the mean alone of one value, and empty of none."""
    return spread(values, digits, sign) if values else ""


def notes(runs: Runs, results: Sequence[Result]) -> list[str]:
    """What the table means, and what the ranking runs themselves reached."""
    study, settings = runs.study, runs.study.settings
    seeds = len({one.seed for one in results})
    said = [
        f"Mean ± standard deviation over {seeds} of {len(study.seeds)} seeds, each with its own labeled images, the "
        f"same for all methods; {len(results)} of {len(study.seeds) * len(study.labels) * len(METHODS)} runs are "
        f"there. {settings.steps:,} optimiser steps each; of those of ranking, then fine-tuning, "
        f"{settings.ranking_steps:,} are the ranking that all numbers of labels share. RMSE is what papers on counting "
        "call MSE."
    ]
    ranked = [metrics(job.folder) for job in map(runs.ranking, study.seeds) if is_done(job)]
    known = [one["ranking_accuracy accuracy"] for one in ranked if "ranking_accuracy accuracy" in one]
    if known:
        said.append(
            f"Ranking alone puts {100 * statistics.fmean(known):.1f} % of the pairs of nested crops of the test images "
            "in the right order."
        )
    return said
