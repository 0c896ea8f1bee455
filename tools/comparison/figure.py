"""The figure of a comparison: a metric against encoder forwards and against seconds of training."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison.plan import Plan
from comparison.results import Final

COLOURS = ("#D55E00", "#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#7F7F7F", "#000000")
"""Okabe and Ito's, told apart by colour-blind eyes too."""
MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Curve:
    """Mean and spread over seeds at the points that all seeds have.

    Attributes:
        forwards: Encoder forwards.
        means: Of the metric.
        deviations: Sample standard deviation; 0 for one seed.
    """

    forwards: list[int]
    means: list[float]
    deviations: list[float]


def mean_curve(curves: Sequence[Sequence[tuple[int, float]]]) -> Curve:
    """One curve from those of the seeds."""
    known = [dict(points) for points in curves]
    common = sorted(set.intersection(*(set(points) for points in known)))
    values = [[points[place] for points in known] for place in common]
    spread = [statistics.stdev(each) if len(each) > 1 else 0.0 for each in values]
    return Curve(common, [statistics.fmean(each) for each in values], spread)


def draw(path: Path, plan: Plan, finals: Mapping[str, Sequence[Final]], rates: Mapping[str, float | None]) -> None:
    """Draw both panels.

    Args:
        path: The PNG to write.
        plan: The plan.
        finals: Method -> its final runs; methods without one are left out.
        rates: Method -> views per second, for the seconds.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    scale = 100.0 if plan.choose in plan.percent else 1.0
    title = plan.metrics.get(plan.choose, plan.choose)
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    there = [name for name in plan.methods if finals.get(name)]
    for number, name in enumerate(there):
        line = mean_curve([run.curve for run in finals[name]])
        means = [scale * mean for mean in line.means]
        spread = [scale * each for each in line.deviations] if len(finals[name]) > 1 else None
        seeds = len(finals[name])
        label = plan.methods[name].title + (f" ({seeds} seeds)" if seeds > 1 else " (1 seed)")
        style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)], "markersize": 5}
        rate = rates.get(name)
        axes = [line.forwards, [each / rate for each in line.forwards] if rate else None]
        for panel, places in zip(panels, axes, strict=True):
            if places is not None:
                panel.errorbar(
                    places,
                    means,
                    spread,
                    label=label,
                    lw=1.6,
                    ls="-" if spread else "--",
                    capsize=2.5,
                    elinewidth=0.9,
                    **style,
                )
    pixels = next((run.pixels.get(plan.choose) for name in there for run in finals[name]), None)
    for panel, what in zip(panels, ("encoder forwards", "seconds of training"), strict=True):
        if pixels is not None:
            panel.axhline(scale * pixels, color="#999999", linewidth=1, linestyle=":", label="raw pixels")
        panel.set_xlabel(what)
        panel.set_xlim(left=0)
        panel.grid(color="#E5E5E5", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:,.0f}k" if value else "0"))
    panels[0].set_ylabel(f"{title} (%)" if scale == 100.0 else title)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
