"""Figures as pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def chart(width: float, height: float, title: str) -> tuple[Axes, FigureCanvasAgg]:
    """Axes with a title and a grid behind what is drawn, and the canvas below them; sides in hundreds of pixels."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize="medium")
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    return axes, FigureCanvasAgg(figure)


def dot_size(points: int, least: float, most: float) -> float:
    """Area of a dot in a scatter of so many points, in square points: the more there are, the smaller."""
    return float(np.clip(4000 / max(points, 1), least, most))


def without_formulas(figure: Figure) -> None:
    """Let all text of a figure stand as it is, but for numbers at axes: ``$`` in a name or a unit begins no formula."""
    texts = figure.findobj(Text)  # which makes the ticks
    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    ticks = [tick for axis in axes for tick in (*axis.majorTicks, *axis.minorTicks)]
    numbers = {id(label) for tick in ticks for label in (tick.label1, tick.label2)}
    for text in texts:
        if isinstance(text, Text) and id(text) not in numbers:
            text.set_parse_math(False)


def pixels_of(canvas: FigureCanvasAgg) -> npt.NDArray[np.uint8]:
    """[H, W, 3] RGB of the figure on the canvas, drawn anew; the caller's own copy."""
    without_formulas(canvas.figure)
    canvas.draw()
    return np.array(np.asarray(canvas.buffer_rgba())[..., :3])
