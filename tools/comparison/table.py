"""The table of a comparison: mean, standard deviation, and the difference to the reference seed by seed."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.plan import Plan
from comparison.results import Final, Metrics

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Figure:
    """Mean over seeds.

    Attributes:
        mean: The mean.
        deviation: Sample standard deviation (divided by n - 1); None for one seed.
        count: n.
    """

    mean: float
    deviation: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure | None:
        """Of at least one value; None of none."""
        if not values:
            return None
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        title: Of the method.
        seeds: Number of seeds.
        metrics: Metric -> figure.
        differences: Metric -> this method less the reference, over the seeds that both have.
        rate: Views per second.
        seconds: Of training, at that rate.
        forwards: Encoder forwards of each run.
        teacher: Further forwards of a teacher.
        pixels: Mean pixels of a view as a share of the reference's.
        setting: What the trials have chosen.
    """

    title: str
    seeds: int
    metrics: Mapping[str, Figure]
    differences: Mapping[str, Figure]
    rate: Figure | None = None
    forwards: int | None = None
    teacher: int = 0
    pixels: float = 1.0
    setting: str = ""

    @property
    def seconds(self) -> float | None:
        """Seconds of training."""
        return self.forwards / self.rate.mean if self.forwards and self.rate else None


def paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> Figure | None:
    """The difference over the seeds that both have."""
    return Figure.of([value - theirs[seed] for seed, value in ours.items() if seed in theirs])


def rows(
    plan: Plan, finals: Mapping[str, Sequence[Final]], rates: Mapping[str, Sequence[float]], chosen: Mapping[str, str]
) -> list[Row]:
    """Raw pixels, untrained networks, then the methods that have a final run, in the plan's order.

    Args:
        plan: The plan.
        finals: Method -> its final runs.
        rates: Method -> views/s of the turns that measured it; without one, those of the final runs stand.
        chosen: Method -> what its trials have chosen.
    """
    table = _references(plan, finals)
    reference = finals.get(plan.reference, ())
    size = plan.size
    for name, method in plan.methods.items():
        runs = finals.get(name, ())
        if not runs:
            continue
        by_metric = {metric: _by_seed(runs, metric) for metric in plan.metrics}
        differences = {}
        if name != plan.reference:
            differences = {metric: paired(by_metric[metric], _by_seed(reference, metric)) for metric in plan.compared}
        measured = rates.get(name) or [run.rate for run in runs if run.rate is not None]
        table.append(
            Row(
                method.title,
                len(runs),
                _there({metric: Figure.of(list(values.values())) for metric, values in by_metric.items()}),
                _there(differences),
                Figure.of(list(measured)),
                plan.forwards,
                plan.forwards if any(run.teacher for run in runs) else 0,
                method.pixels_of_view(size) / plan.methods[plan.reference].pixels_of_view(size),
                chosen.get(name, ""),
            )
        )
    return table


def _references(plan: Plan, finals: Mapping[str, Sequence[Final]]) -> list[Row]:
    runs = list({run.seed: run for name in reversed(plan.methods) for run in finals.get(name, ())}.values())
    if not runs:
        return []
    table = []
    for title, found in (
        ("raw pixels", [runs[0].pixels]),
        ("untrained network", [run.untrained for run in sorted(runs, key=lambda run: run.seed)]),
    ):
        figures = {metric: Figure.of([each[metric] for each in found if metric in each]) for metric in plan.metrics}
        table.append(Row(title, len(found) if title != "raw pixels" else 0, _there(figures), {}))
    return table


def _by_seed(runs: Sequence[Final], metric: str) -> dict[int, float]:
    return {run.seed: run.metrics[metric] for run in runs if metric in run.metrics}


def _there(figures: Mapping[str, Figure | None]) -> dict[str, Figure]:
    return {name: figure for name, figure in figures.items() if figure is not None}


def markdown(plan: Plan, table: Sequence[Row]) -> str:
    """The table as GitHub shows it; percentages where the plan says so."""
    heads = ["method", "seeds"]
    for metric, title in plan.metrics.items():
        heads.append(f"{title} (%)" if metric in plan.percent else title)
        heads += [f"Δ {title}"] if metric in plan.compared else []
    heads += ["views/s", "seconds", "chosen by the trials"]
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 2) + ["---"]]
    for row in table:
        cells = [row.title + ("" if row.teacher == 0 else " †"), str(row.seeds) if row.seeds else ""]
        for metric in plan.metrics:
            scale = 100.0 if metric in plan.percent else 1.0
            cells.append(_cell(row.metrics.get(metric), scale))
            cells += [_cell(row.differences.get(metric), scale, sign=True)] if metric in plan.compared else []
        rate, seconds = row.rate, row.seconds
        cells += [f"{rate.mean:,.0f}" if rate else "", f"{seconds:,.0f}" if seconds else "", row.setting]
        lines.append(cells)
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    notes = _notes(plan, table)
    return "\n\n".join([text, *notes]) + "\n"


def _notes(plan: Plan, table: Sequence[Row]) -> list[str]:
    title = plan.methods[plan.reference].title
    notes = [
        f"Mean ± standard deviation over seeds. Δ: difference to {title}, seed by seed. "
        f"Every run: {plan.forwards:,} encoder forwards (each view that passes the network); settings chosen by "
        f"{plan.trials} trials of {plan.trial_forwards:,} forwards for each method on held-out training images."
    ]
    if any(row.teacher for row in table):
        notes.append(
            f"† and {plan.forwards:,} forwards of a teacher without gradient: the seconds hold their time, "
            "views/s does not count them."
        )
    small = [f"{row.title} {row.pixels:.0%}" for row in table if abs(row.pixels - 1) > 1e-9]
    if small:
        notes.append(f"Pixels of a view, as a share of {title}'s: {', '.join(small)}.")
    return [*notes, *([plan.note.strip()] if plan.note else [])]


def _cell(figure: Figure | None, scale: float, *, sign: bool = False) -> str:
    if figure is None:
        return ""
    text = f"{figure.mean * scale:{'+' if sign else ''}.1f}".replace("-", MINUS)
    return text if figure.deviation is None else f"{text} ± {figure.deviation * scale:.1f}"


def write_csv(path: Path, plan: Plan, table: Sequence[Row]) -> None:
    """All numbers in full, one line a row."""
    lines: list[dict[str, Any]] = []
    for row in table:
        line: dict[str, Any] = {"method": row.title, "seeds": row.seeds}
        for metric in plan.metrics:
            line |= _numbers(metric, row.metrics.get(metric))
            if metric in plan.compared:
                line |= _numbers(f"{metric} difference", row.differences.get(metric))
        line |= _numbers("views/s", row.rate)
        line |= {"seconds": row.seconds, "forwards": row.forwards, "teacher forwards": row.teacher}
        line |= {"pixels of a view": row.pixels, "setting": row.setting}
        lines.append(line)
    write_lines(path, lines)


def _numbers(name: str, figure: Figure | None) -> dict[str, Any]:
    if figure is None:
        return {f"{name} mean": None, f"{name} std": None, f"{name} n": 0}
    return {f"{name} mean": figure.mean, f"{name} std": figure.deviation, f"{name} n": figure.count}


def write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write CSV; the columns are the first line's keys."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]) if lines else [])
        writer.writeheader()
        writer.writerows(lines)


__all__ = ["Figure", "Metrics", "Row", "markdown", "paired", "rows", "write_csv", "write_lines"]
