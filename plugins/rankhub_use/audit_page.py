"""An audit for people: a page in Markdown, and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rankhub.interfaces.files import whole
from rankhub_use.findings import CHANGES

Rows = Sequence[Mapping[str, Any]]
COLOURS = {"right": "#0072B2", "ties": "#BBBBBB", "wrong": "#D55E00"}
"""Okabe and Ito's, told apart by colour-blind eyes too."""

_CELL = 0.62
"""Width of a cell in hundreds of pixels."""


def page(summary: Mapping[str, Any], levels: Rows) -> str:
    """The page in Markdown."""
    generator = ", ".join(str(step["use"]) for step in summary["generator"])
    parts = [
        f"# Audit of {summary['scorer']}",
        f"{summary['images']} images, versions by {generator}. {summary['verdict']}.",
        "![shares of pairs](audit.png)",
        _table(summary["kinds"]),
        "What should not change a score; `spread` is the standard deviation of all scores:",
        _table([{**row, "change": CHANGES[row["change"]]} for row in summary["invariance"]]),
        "Pairs by both levels (the version of the level `above` is to come first):",
        _table(levels),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Rows) -> str:
    if not rows:
        return "(nothing)"
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row[column]) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("|", "\\|")


def draw(summary: Mapping[str, Any], levels: Rows, path: Path) -> None:
    """On the left what became of each kind's pairs; on the right the share that is right by both levels, mild first.

    A cell of the right stands for one step of a kind's ladder: from its highest level (the best) down. Where levels
    are grids, and have no ladder, the right side is left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from rankhub_ranking.picture import pixels_of

    kinds: Rows = summary["kinds"]
    steps = ladder([row["kind"] for row in kinds], levels)
    height = 1.5 + 0.34 * len(kinds)
    widths = [4.6, _CELL * steps.shape[1] + 0.4] if steps.shape[1] else [4.6]
    figure = Figure(figsize=(sum(widths) + 2.6, height), dpi=130, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    names = [row["kind"] for row in kinds]
    start = np.zeros(len(kinds))
    for name, colour in COLOURS.items():
        shares = np.array([row[name] for row in kinds])
        panels[0].barh(range(len(kinds)), shares, left=start, color=colour, label=name, height=0.72)
        start += shares
    panels[0].set_yticks(range(len(kinds)), names)
    panels[0].set_xlim(0, 1)
    panels[0].set_xlabel("share of pairs")
    panels[0].invert_yaxis()
    panels[0].spines[["top", "right"]].set_visible(False)
    panels[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=8)
    if steps.shape[1]:
        panels[1].imshow(steps, vmin=0, vmax=1, cmap="RdYlBu", aspect="auto")
        for (row, column), value in np.ndenumerate(steps):
            if np.isfinite(value):
                dark = value < 0.2 or value > 0.8
                colour = "white" if dark else "black"
                panels[1].text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        panels[1].set_yticks(range(len(kinds)), [""] * len(kinds))
        panels[1].set_xticks(range(steps.shape[1]), [str(number + 1) for number in range(steps.shape[1])])
        panels[1].set_xlabel("step of the ladder, mild to strong")
        panels[1].set_title("share right, neighbours", fontsize=9)
        panels[1].spines[:].set_visible(False)
        panels[1].set_ylim(panels[0].get_ylim())
    figure.suptitle(f"{summary['scorer']}: {summary['direction']}, {summary['images']} images", fontsize=10)
    pixels = pixels_of(canvas)
    with whole(path) as beside:
        Image.fromarray(pixels).save(beside, "PNG")


def ladder(kinds: Sequence[str], levels: Rows) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[kinds, steps] share right of neighbouring levels of each kind, from the highest level down; NaN elsewhere."""
    if any(" " in row["above"] for row in levels):
        return np.full((len(kinds), 0), np.nan)
    found: list[list[float]] = []
    for kind in kinds:
        own = [row for row in levels if row["kind"] == kind]
        known = sorted({float(row[side]) for row in own for side in ("above", "below")}, reverse=True)
        shares = {(float(row["above"]), float(row["below"])): float(row["right"]) for row in own}
        found.append([shares.get(pair, np.nan) for pair in pairwise(known)])
    longest = max(map(len, found), default=0)
    return np.array([[*row, *[np.nan] * (longest - len(row))] for row in found]).reshape(len(kinds), longest)
