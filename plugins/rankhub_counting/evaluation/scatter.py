"""The picture of true against predicted counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from rankhub_ranking.picture import chart, dot_size, pixels_of

Floats = npt.NDArray[np.float64]

WIDE = 30.0
"""Axes are logarithmic where the largest true count is more than this many times the smallest one above 0."""


def scatter(
    title: str, predicted: Floats, counts: Floats, unit: str = "", mean: float | None = None
) -> npt.NDArray[np.uint8]:
    """True counts along x, predicted ones along y, the line on which they are equal, and a mean count.

    Where counts range widely the axes are logarithmic, and linear below 1 if there is anything below 1.

    [H, W, 3] uint8. ``unit`` is what is counted ("people"), ``mean`` the answer of the baseline, if it is one number.
    """
    axes, canvas = chart(7.0, 6.6, title)
    low, high = _scaled(axes, predicted, counts)
    axes.plot([low, high], [low, high], color="0.3", linewidth=1.2, label="predicted = true", zorder=1)
    if mean is not None:
        axes.axhline(mean, color="0.5", linewidth=1.0, linestyle="--", label=f"mean count {mean:,.4g}", zorder=1)
    axes.scatter(counts, predicted, s=dot_size(len(counts), 8, 32), alpha=0.7, linewidths=0, zorder=2)
    what = f" ({unit})" if unit else ""
    axes.set(xlabel=f"true count{what}", ylabel=f"predicted count{what}", xlim=(low, high), ylim=(low, high))
    axes.set_aspect("equal")
    axes.legend(fontsize="small", frameon=False, loc="upper left")
    return pixels_of(canvas)


def _scaled(axes: Axes, predicted: Floats, counts: Floats) -> tuple[float, float]:
    """Choose the scale of both axes; the ends of both."""
    both = np.concatenate([predicted, counts])
    low, high = float(both.min()), float(both.max())
    some = counts[counts > 0]
    if not len(some) or some.max() <= WIDE * some.min():
        room = 0.04 * (high - low) or 1.0
        return low - room, high + room
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}")
    if low >= 1:
        axes.set(xscale="log", yscale="log")
        ends = low / 1.25, high * 1.25
    else:
        for scale in (axes.set_xscale, axes.set_yscale):
            scale("symlog", linthresh=1.0)
        ends = (low * 1.25 if low < -1 else low - 0.3), high * 1.25
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain)
    return ends
