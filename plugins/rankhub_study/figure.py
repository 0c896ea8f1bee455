"""The figure of a study: curves over training or an axis, or a point a method; with the deviation over seeds."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from rankhub.interfaces.files import whole
from rankhub_study.points import Point
from rankhub_study.results import Moment, Results

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
"""Okabe and Ito's, told apart by colour-blind eyes too."""
MARKERS = "osD^vPX*"
APART = 0.012
"""Of the axis, between the bars of two methods, so that their bars do not hide one another."""


def draw(results: Results, path: Path) -> None:
    """Draw a panel for each metric and, where other axes are left, a row for each of their values.

    Without a final job nothing is drawn; the same results give the same file.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from rankhub_ranking.picture import without_formulas

    if not results.finals:
        return
    plan, x = results.plan, _x(results)
    names = plan.figure.metrics or list(plan.metrics)[:2]
    rest = list(dict.fromkeys(tuple(pair for pair in cell if pair[0] != x) for cell in results.cells))
    size = (4.4 * len(names) + 1.8, 3.2 * len(rest) + 0.5)
    figure, panels = pyplot.subplots(len(rest), len(names), figsize=size, squeeze=False, layout="constrained")
    handles: dict[str, Any] = {}
    for cell, line in zip(rest, panels, strict=True):
        for name, panel in zip(names, line, strict=True):
            metric = plan.column(name)
            _panel(results, panel, name, cell, x)
            panel.set_ylabel(f"{metric.title} (%)" if metric.percent else metric.title)
            panel.set_xlabel({"training": "labels" if plan.rounds is not None else "training (%)"}.get(x, x))
            panel.set_title(", ".join(f"{axis} {label}" for axis, label in cell), fontsize=9)
            panel.grid(color="#E5E5E5", linewidth=0.6)
            panel.spines[["top", "right"]].set_visible(False)
            handles |= {label: one for one, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(list(handles.values()), list(handles), loc="outside right upper", frameon=False, fontsize=8)
    figure.suptitle(plan.title, fontsize=10)
    without_formulas(figure)
    with whole(path) as beside:
        figure.savefig(beside, dpi=130, format="png", metadata={"Software": None})  # which would name a version
    pyplot.close(figure)


def _x(results: Results) -> str:
    """What runs along the axis: what the plan says, training where it is measured, an axis of numbers, or methods."""
    axes = [name for name, _ in results.cells[0]]
    numbers = [name for name in axes if all(isinstance(dict(cell)[name], int | float) for cell in results.cells)]
    measured = ["training"] if len(results.moments) > 1 else []
    return results.plan.figure.x or [*measured, *numbers, *axes, ""][0]


def _panel(results: Results, panel: Any, name: str, rest: Point, x: str) -> None:
    """One metric: a line a method."""
    from matplotlib.ticker import LogFormatter

    plan, scale, last = results.plan, 100.0 if results.plan.column(name).percent else 1.0, results.moments[-1]
    share = 1.0 if plan.rounds is not None else 100.0
    moments = [*([] if plan.rounds is not None else [0.0]), *results.moments]
    measured: list[tuple[Any, Point, Moment]] = [(share * moment, rest, moment) for moment in moments]
    if x != "training":
        cells = [cell for cell in results.cells if set(rest).issubset(cell)]
        measured = [(dict(cell).get(x, ""), cell, last) for cell in cells]
    words = [value for value, _, _ in measured]
    numbers = all(isinstance(word, int | float) for word in words)
    ticks = words if numbers else list(range(len(words)))
    width, logarithmic = (max(ticks) - min(ticks)) or 10.0, numbers and "x" in plan.figure.log
    for number, method in enumerate(plan.methods):
        shift = (number - (len(plan.methods) - 1) / 2) * APART
        found = [list(results.by_seed(method, name, cell, moment).values()) for _, cell, moment in measured]
        there = [(tick, values) for tick, values in zip(ticks, found, strict=True) if values]
        if there:
            panel.errorbar(
                [tick * (1 + 2 * shift) if logarithmic else tick + shift * width for tick, _ in there],
                [scale * statistics.fmean(values) for _, values in there],
                [scale * (statistics.stdev(values) if len(values) > 1 else 0.0) for _, values in there],
                label=plan.called(method),
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=5,
                linewidth=1.5,
                elinewidth=0.9,
                capsize=2.5,
                linestyle="-" if len(there) > 1 and numbers else "",
            )
    if logarithmic:
        panel.set_xscale("log")
    if "y" in plan.figure.log:
        panel.set_yscale("log")  # within a decade its own labels would be one power of ten, or none
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.5, 0.5)))
    if x != "training" or plan.rounds is not None:
        names = [f"{word:g}" if isinstance(word, float) else str(word) for word in words]
        panel.set_xticks(ticks, names, parse_math=False)
        panel.xaxis.minorticks_off()
