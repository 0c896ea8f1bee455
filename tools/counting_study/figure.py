"""The figure of the measurement: error against number of labels, on logarithmic axes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from comparison.figure import COLOURS, MARKERS
from comparison.spread import deviation

from counting_study.results import BASELINE, Result, errors
from counting_study.settings import METHODS

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, StrMethodFormatter

APART = 1.025
"""Factor between the places of two methods at one number of labels, so that their bars do not hide one another."""


def draw(results: Sequence[Result], title: str, unit: str, path: Path) -> None:
    """Draw the MAE, a line a method with the standard deviation over seeds, the mean count dashed.

    Args:
        results: The runs.
        title: Of the picture.
        unit: What is counted.
        path: The PNG to write.
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    counts = sorted({one.labels for one in results})
    for number, (name, method) in enumerate(METHODS.items()):
        known = {count: list(errors(results, name, count, "mae").values()) for count in counts}
        there = {count: values for count, values in known.items() if values}
        if not there:
            continue
        places = [count * APART ** (number - (len(METHODS) - 1) / 2) for count in there]
        means = [statistics.fmean(values) for values in there.values()]
        bars = [deviation(values) for values in there.values()]
        below = [min(bar, 0.9 * mean) for mean, bar in zip(means, bars, strict=True)]  # the axis has no 0
        axes.errorbar(
            places,
            means,
            [below, bars],
            label=method.title,
            color=COLOURS[number],
            marker=MARKERS[number],
            markersize=5,
            linewidth=1.6,
            elinewidth=1,
            capsize=3,
        )
    means = [statistics.fmean(errors(results, BASELINE, count, "mae").values()) for count in counts]
    axes.plot(counts, means, color="0.4", linestyle="--", linewidth=1.2, label="mean count of the labeled", zorder=0)
    axes.set(xscale="log", yscale="log", xlabel="labeled images", ylabel=f"MAE ({unit})", title=title)
    axes.xaxis.set_major_locator(FixedLocator([float(count) for count in counts]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.grid(color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=150)
    plt.close(figure)
