"""The table of the sweep."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict

from counting_study.results import Result, read
from counting_study.runs import Runs
from counting_study.study import SWEEP, SWEEP_LABELS, SWEEP_SEED, Variation

REFERENCES = ("supervised only", "multi-task as set")


def write_sweep(runs: Runs) -> str:
    """Write ``sweep.csv`` and ``sweep.md``; returns the text of the table."""
    there: list[tuple[Variation, Result]] = []
    for variation in SWEEP:
        result = read(runs.variation(variation), SWEEP_LABELS)
        if result is not None:
            there.append((variation, result))
    if not there:
        return "no run of the sweep is there yet"
    lines = [
        {"name": one.name, "method": one.method, "changes": json.dumps(dict(one.changes)), **_numbers(result)}
        for one, result in there
    ]
    with (runs.study.out / "sweep.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    text = "\n".join([*_table(there), "", *_notes(runs, there)]) + "\n"
    (runs.study.out / "sweep.md").write_text(text)
    return text


def _numbers(result: Result) -> dict[str, float]:
    kept = ("mae", "rmse", "baseline_mae", "baseline_rmse")
    return {name: value for name, value in asdict(result).items() if name in kept}


def _table(there: list[tuple[Variation, Result]]) -> list[str]:
    base = {one.name: result.mae for one, result in there if one.name in REFERENCES}
    columns = " | ".join(f"MAE against {name}" for name in REFERENCES)
    lines = [f"| variation | changed | MAE | RMSE | {columns} |", "|---|---|---:|---:|---:|---:|"]
    for one, result in there:
        cells = [
            f"{100 * (result.mae / base[name] - 1):+.0f} %" if name in base and name != one.name else ""
            for name in REFERENCES
        ]
        changed = ", ".join(f"{key} {json.dumps(value)}" for key, value in one.changes.items())
        lines.append(f"| {one.name} | {changed} | {result.mae:.1f} | {result.rmse:.1f} | {' | '.join(cells)} |")
    return lines


def _notes(runs: Runs, there: list[tuple[Variation, Result]]) -> list[str]:
    others = len(runs.draws.train) - SWEEP_LABELS
    one = there[0][1]
    kept = {key: value for key, value in asdict(runs.study.settings).items() if not isinstance(value, dict)}
    return [
        f"{SWEEP_LABELS} labeled images, seed {SWEEP_SEED}, {runs.study.settings.steps:,} steps; judged on the "
        f"{others} other images to train on (without labels in the ranked stream), so no test image has a say. "
        f"Always answering the mean count of the labeled: MAE {one.baseline_mae:.1f}, RMSE {one.baseline_rmse:.1f}. "
        f"{len(there)} of {len(SWEEP)} runs are there. One seed: differences of a few percent mean nothing.",
        "",
        "As set: " + ", ".join(f"{key} {value}" for key, value in kept.items()) + ".",
    ]
