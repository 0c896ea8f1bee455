"""The table of the experiment."""

from __future__ import annotations

import csv
import math
import statistics
from pathlib import Path

from comparison.spread import deviation, spread

from labeling_study.plan import CHANCE
from labeling_study.results import Found


def write_report(found: Found, images: int, out: Path) -> str:
    """Write ``results.csv`` and ``table.md``; returns the text of the table."""
    _write_csv(found, images, out / "results.csv")
    plan = found.plan
    better = "higher" if found.sign > 0 else "lower"
    digits = 0 if plan.budget >= images / 10 else 1
    heads = [f"{n} ({n / images:.{digits}%})" for n in plan.labels]
    lines = [
        f"| acquirer | seeds | {' | '.join(heads)} | better than {CHANCE}, mean of the rounds | labels to reach it |",
        f"|---|---:|{'---:|' * (len(heads) + 2)}",
    ]
    for name in plan.acquirers:
        whole = found.whole(name)
        if whole:
            cells = [spread([curve[n] for curve in whole.values()]) for n in plan.labels]
            lines.append(
                f"| {name} | {len(whole)} | {' | '.join(cells)} | {_gain(found, name)} | {_needed(found, name)} |"
            )
    if len(lines) == 2:
        return "no acquirer has finished a seed yet"
    notes = [
        f"{plan.metric} ({better} is better), mean ± standard deviation over seeds, by the number of labels (share of "
        f"{images} {plan.pieces}).",
        *_reached(found),
    ]
    text = "\n".join([*lines, "", *notes]) + "\n"
    (out / "table.md").write_text(text)
    return text


def _gain(found: Found, name: str) -> str:
    """Paired by seed; t is the mean in units of its standard error."""
    gains = found.gains(name)
    if name == CHANCE or not gains:
        return ""
    error = deviation(gains) / math.sqrt(len(gains))
    t = f", t {statistics.fmean(gains) / error:.1f}" if error else ""
    return f"{spread(gains, sign='+')} ({sum(gain > 0 for gain in gains)} of {len(gains)} seeds{t})"


def _needed(found: Found, name: str) -> str:
    needed = found.needed(name)
    return "more" if needed is None else f"{needed} ({needed / found.plan.budget:.0%} of the budget)"


def _reached(found: Found) -> list[str]:
    plan, seeds = found.plan, list(found.whole(CHANCE))
    if not seeds:
        return []
    lines = [
        f"To reach: what {CHANCE} has with all {plan.budget} labels, {found.target(seeds):.3f}; the first round where "
        "the mean over seeds is as good. Seed by seed:"
    ]
    for name in plan.acquirers:
        each = found.needed_by_seed(name).values()
        if each:
            lines.append(f"{name} {', '.join('more' if one is None else str(one) for one in each)};")
    lines[-1] = lines[-1].rstrip(";") + "."
    return [" ".join(lines)]


def _write_csv(found: Found, images: int, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["acquirer", "seed", "labels", "share", found.plan.metric])
        for name, by_seed in found.curves.items():
            for seed, curve in by_seed.items():
                writer.writerows([name, seed, n, n / images, value] for n, value in sorted(curve.items()))
