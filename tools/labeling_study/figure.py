"""The figure of the experiment: the metric against the share that is labeled."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib
from comparison.figure import COLOURS, MARKERS
from comparison.spread import deviation

from labeling_study.plan import CHANCE
from labeling_study.results import Found

matplotlib.use("Agg")
from matplotlib import pyplot as plt

APART = 0.006
"""Of the axis, between the places of two acquirers, so that their bars do not hide one another."""


def draw(found: Found, images: int, title: str, path: Path) -> None:
    """Draw a line an acquirer with the standard deviation over seeds; dashed, what chance reaches in the end.

    Args:
        found: The results; acquirers without a whole curve are left out.
        images: Of the pool.
        title: Of the picture.
        path: The PNG to write.
    """
    figure, axes = plt.subplots(figsize=(6.8, 4.4), layout="constrained")
    plan = found.plan
    width = (plan.labels[-1] - plan.labels[0]) / images
    names = [name for name in plan.acquirers if found.whole(name)]
    for number, name in enumerate(names):
        curves = found.whole(name).values()
        shift = (number - (len(names) - 1) / 2) * APART * width
        axes.errorbar(
            [100 * (n / images + shift) for n in plan.labels],
            [statistics.fmean(curve[n] for curve in curves) for n in plan.labels],
            [deviation([curve[n] for curve in curves]) for n in plan.labels],
            label=f"{name} ({len(curves)} seeds)",
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            linewidth=1.6,
            elinewidth=1,
            capsize=3,
        )
    if found.whole(CHANCE):
        target = found.target(list(found.whole(CHANCE)))
        axes.axhline(
            target, color="0.5", linestyle="--", linewidth=1, zorder=0, label=f"{CHANCE} with {plan.budget} labels"
        )
    axes.set(xlabel=f"labeled, % of {images} {plan.pieces}", ylabel=plan.metric.replace(".", " "), title=title)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
