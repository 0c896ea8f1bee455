"""Figures as pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg


def pixels_of(canvas: FigureCanvasAgg) -> npt.NDArray[np.uint8]:
    """[H, W, 3] RGB of the figure on the canvas, drawn anew; the caller's own copy."""
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(np.asarray(canvas.buffer_rgba())[..., :3])  # type: ignore[no-untyped-call]
