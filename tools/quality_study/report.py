"""The table and the figure of the measurement."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from comparison.spread import deviation, spread
from quality_study.results import Predictions, certain, found
from quality_study.runs import Runs, describe
from quality_study.study import METHODS, units

matplotlib.use("Agg")
import matplotlib.pyplot as plt

METRICS = {
    "srocc": "SROCC pooled",
    "plcc": "PLCC pooled",
    "srocc_folds": "SROCC of folds",
    "plcc_folds": "PLCC of folds",
}
Found = dict[tuple[str, float, int], Predictions]


def rows(runs: Runs, there: Found) -> list[dict[str, Any]]:
    """One line for each method, share, seed and choice of rows."""
    sure = certain(runs.study.live / "labels.csv")
    table = []
    for (name, share, seed), predictions in there.items():
        for which, chosen in (("all", predictions), ("certain", predictions.only(sure))):
            line = {"method": name, "labels": share, "seed": seed, "rows": which, "images": len(chosen.images)}
            table.append({**line, **chosen.measure()})
    return table


def summary(table: list[dict[str, Any]], share: float, which: str) -> list[str]:
    """A markdown table: mean and standard deviation over seeds."""
    lines = [
        f"| labels {share:.0%}, {which} rows | seeds | " + " | ".join(METRICS.values()) + " | against supervised |"
    ]
    lines.append("|---" * (len(METRICS) + 3) + "|")
    for name, method in METHODS.items():
        mine = [line for line in table if (line["method"], line["labels"], line["rows"]) == (name, share, which)]
        if mine:
            cells = [spread([line[metric] for line in mine]) for metric in METRICS]
            lines.append(f"| {method.title} | {len(mine)} | " + " | ".join(cells) + f" | {paired(table, mine)} |")
    return lines


def paired(table: list[dict[str, Any]], mine: list[dict[str, Any]]) -> str:
    """Mean and standard deviation over seeds of the difference in pooled SROCC to supervised training."""
    same = {
        (line["labels"], line["seed"], line["rows"]): line["srocc"] for line in table if line["method"] == "supervised"
    }
    keys = [(line["labels"], line["seed"], line["rows"]) for line in mine]
    if mine[0]["method"] == "supervised" or not all(key in same for key in keys):
        return ""
    differences = [line["srocc"] - same[key] for line, key in zip(mine, keys, strict=True)]
    return spread(differences, sign="+")


def write_report(runs: Runs) -> str:
    """Write ``table.csv``, ``table.md`` and ``figure.png``; returns the text of the table."""
    there = found(runs)
    if not there:
        return "no method is complete yet"
    out = runs.study.out
    table = rows(runs, there)
    with (out / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    lines: list[str] = []
    for share in sorted({share for share, _ in units()}, reverse=True):
        for which in ("all", "certain"):
            lines += [*summary(table, share, which), ""]
    for name, method in METHODS.items():
        if method.trials and (trial := runs.chosen(name)) is not None:
            lines.append(f"{method.title}: of {method.trials} settings, {describe(method.setting(trial))}")
    text = "\n".join(lines) + "\n"
    (out / "table.md").write_text(text)
    draw(table, there, out / "figure.png")
    return text


def draw(table: list[dict[str, Any]], there: Found, path: Path) -> None:
    """Left: SROCC against the share of the labels; right: predicted against true scores, first seed, all labels."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    for number, (name, method) in enumerate(METHODS.items()):
        mine = [line for line in table if line["method"] == name and line["rows"] == "all"]
        shares = sorted({line["labels"] for line in mine})
        values = [[line["srocc"] for line in mine if line["labels"] == share] for share in shares]
        means, spreads = [float(np.mean(each)) for each in values], [deviation(each) for each in values]
        colour = f"C{number}"
        left.errorbar(
            [100 * s for s in shares], means, spreads, marker="o", capsize=3, label=method.title, color=colour
        )
        if (name, 1.0, 0) in there and name in ("supervised", "multitask"):
            seen = there[name, 1.0, 0]
            right.scatter(seen.true, seen.predicted, s=14, color=colour, label=method.title)
    images = {name for each in there.values() for name in each.images}
    references = {name for each in there.values() for name in each.references}
    scored = f"{len(images)} scored images, {len(references)} references"
    left.set(xlabel="labels used (%)", ylabel="SROCC, pooled out of fold", title=scored)
    right.set(
        xlabel="DMOS by people (higher = worse)",
        ylabel="predicted DMOS",
        title="Each image by a network\nthat has not seen its reference",
    )
    right.axline((50, 50), slope=1, color="0.7", linewidth=1, zorder=0)
    left.legend(fontsize=8)
    right.legend(fontsize=8)
    left.grid(alpha=0.3)
    right.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)
