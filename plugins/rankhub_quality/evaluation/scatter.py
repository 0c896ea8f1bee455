"""The picture of true against predicted scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes

from rankhub_quality.evaluation.measure import groups_of
from rankhub_ranking.picture import chart, dot_size, pixels_of

Floats = npt.NDArray[np.float64]

_MARKERS = ("o", "^", "s", "D")
_COLOURS = colormaps["tab10"].resampled(10)(np.arange(10))
MOST = len(_MARKERS) * len(_COLOURS)
"""Kinds that can be told apart; if there are more, all points look alike."""


def scatter(
    title: str,
    axis: str,
    predicted: Floats,
    labels: Floats,
    kinds: Sequence[str] | None = None,
    curve: tuple[Floats, Floats] | None = None,
) -> npt.NDArray[np.uint8]:
    """Predictions along x, labels along y, one colour and marker a kind, and the fitted curve.

    [H, W, 3] uint8. ``axis`` says what is scored, in which unit and which way it runs; kinds [n] are empty where
    unknown; the curve is x and y of the line from predictions to labels.
    """
    axes, canvas = chart(8.0, 6.0, title)
    named = _drawn_by_kind(axes, predicted, labels, kinds)
    if curve is not None:
        axes.plot(*curve, color="0.15", linewidth=1.5, label="fitted curve")
    axes.set(xlabel=f"predicted {axis}", ylabel=f"true {axis}")
    if named:
        canvas.figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    elif curve is not None:
        axes.legend(fontsize="small", frameon=False)
    return pixels_of(canvas)


def _drawn_by_kind(axes: Axes, predicted: Floats, labels: Floats, kinds: Sequence[str] | None) -> bool:
    """Draw the points; whether they have names."""
    size = dot_size(len(labels), 6, 28)
    named = kinds is not None and len({kind for kind in kinds if kind}) <= MOST
    if kinds is None or not named:
        axes.scatter(predicted, labels, s=size, alpha=0.7, linewidths=0, color=_COLOURS[0])
        return False
    groups = list(groups_of(kinds))
    rest = np.array([row for row, kind in enumerate(kinds) if not kind], dtype=np.intp)
    for number, (kind, rows) in enumerate(groups):
        colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number // len(_COLOURS)]
        axes.scatter(
            predicted[rows], labels[rows], s=size, alpha=0.8, linewidths=0, color=colour, marker=marker, label=kind
        )
    if len(rest):
        axes.scatter(predicted[rest], labels[rest], s=size, alpha=0.8, linewidths=0, color="0.6", label="other")
    return True
