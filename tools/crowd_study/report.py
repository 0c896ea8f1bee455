"""The table of the five folds."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping
from typing import Any

from counting_study.results import Result, read
from counting_study.settings import METHODS

from crowd_study.runs import COMPARED, FOLDS, Crowds

MEAN_COUNT = "mean count of the labeled photos"
Errors = Mapping[str, Mapping[int, tuple[float, float]]]
"""Title -> fold -> MAE and RMSE."""


def write_report(crowds: Crowds) -> str:
    """Write ``table.csv`` and ``table.md``; returns the text of the table."""
    errors = found(crowds)
    if not errors:
        return "no fold is there yet"
    lines: list[dict[str, Any]] = [
        {"method": title, "fold": fold, "mae": mae, "rmse": rmse}
        for title, folds in errors.items()
        for fold, (mae, rmse) in sorted(folds.items())
    ]
    with (crowds.out / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    text = "\n".join([*table(errors), "", note(crowds)]) + "\n"
    (crowds.out / "table.md").write_text(text)
    return text


def found(crowds: Crowds) -> Errors:
    """The errors of all runs that are there, those of the mean count first."""
    labels = crowds.labels or 0
    results = {(name, fold): read(crowds.run(name, fold), labels) for fold in range(FOLDS) for name in COMPARED}
    there: dict[tuple[str, int], Result] = {key: result for key, result in results.items() if result is not None}
    if not there:
        return {}
    errors: dict[str, dict[int, tuple[float, float]]] = {MEAN_COUNT: {}}
    for (name, fold), result in there.items():
        errors[MEAN_COUNT][fold] = (result.baseline_mae, result.baseline_rmse)
        errors.setdefault(METHODS[name].title, {})[fold] = (result.mae, result.rmse)
    return errors


def table(errors: Errors) -> list[str]:
    """A line a method with MAE / RMSE of each fold; the average only where all folds are there."""
    lines = [
        "| MAE / RMSE | " + " | ".join(f"fold {fold}" for fold in range(FOLDS)) + " | average |",
        "|---" + "|---:" * (FOLDS + 1) + "|",
    ]
    for title, folds in errors.items():
        cells = [_cell(folds[fold]) if fold in folds else "" for fold in range(FOLDS)]
        average = ""
        if len(folds) == FOLDS:
            maes, rmses = zip(*folds.values(), strict=True)
            average = f"**{_cell((statistics.fmean(maes), statistics.fmean(rmses)))}**"
        lines.append(f"| {title} | " + " | ".join(cells) + f" | {average} |")
    return lines


def _cell(errors: tuple[float, float]) -> str:
    mae, rmse = errors
    return f"{mae:,.0f} / {rmse:,.0f}"


def note(crowds: Crowds) -> str:
    """What the table means."""
    kept = "all 40" if crowds.labels is None else f"{crowds.labels} of the 40"
    backbone = crowds.settings.backbone
    return (
        f"UCF_CC_50, the five published folds, each judged on its ten photos by networks that never saw them; {kept} "
        f"photos of the other folds with their points, all 40 in nested crops. {backbone.get('model', backbone)} from "
        f"scratch, {crowds.settings.steps:,} steps, seed {crowds.seed}; photos of at most {crowds.max_side:,} px. The "
        "averages are over folds, as the literature has them; RMSE is what it calls MSE."
    )
