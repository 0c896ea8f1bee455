"""The picture of a density map on its image."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from rankhub_data.sheet import fitted
from rankhub_ranking.picture import pixels_of

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

LONGEST = 900
"""Longest side in pixels of the image as it is drawn; larger ones are reduced first."""
SHORTEST = 360
"""Longest side of small images, which are enlarged so that the text fits."""
MOST_DOTS = 1000
"""True points that are drawn; where there are more, they would hide the image."""
PATCH = 100
"""Densities are given in points to a square of this side, in pixels of the image."""

NARROWEST = 400
"""Width of the picture of an upright image, so that the text fits."""

_COLOURS = colormaps["plasma"]
_GREY = 0.4
_DPI = 100
_LETTER = 8
"""Pixels to a letter of the title."""


def overlay(
    image: Tensor,
    density: Tensor | Floats,
    predicted: float,
    true: float | None = None,
    points: Floats | None = None,
    *,
    unit: str = "",
    name: str = "",
) -> Bytes:
    """Draw the density on the greyed image, with a scale, the counts, and the true points where they are few.

    The map is smoothed between the centres of its cells for the eye. The colours end at its highest cell; where there
    is no density, the image shows through. Negative density is not drawn; if it matters, the title gives its sum.

    [H', W', 3] uint8, about 900 pixels on the longer side, less for small images. ``image`` is [3, H, W] uint8,
    ``density`` [h, w] or [1, h, w] points a cell, spread evenly over it, ``points`` [n, 2 or more] x and y in its
    pixels, drawn if at most ``MOST_DOTS``; ``name`` is the image's, ``unit`` what is counted ("people").
    """
    height, width = int(image.shape[-2]), int(image.shape[-1])
    shown = np.asarray(fitted(image, LONGEST, SHORTEST))
    cells = torch.as_tensor(density).detach().to("cpu", torch.float32)
    cells = cells.reshape(cells.shape[-2:])
    per_patch = cells * (cells.shape[0] * cells.shape[1] * PATCH**2 / (height * width))
    highest = float(per_patch.max())
    top = highest if highest > 0 else 1.0
    blended = _blended(shown, per_patch.clamp(min=0) / top)
    figure, canvas = _canvas(blended)
    axes = figure.add_subplot()
    axes.imshow(blended, extent=(0, width, height, 0), interpolation="bilinear")
    if points is not None and 0 < len(points) <= MOST_DOTS:
        size = float(np.clip(1500 / len(points), 1.5, 12))
        axes.scatter(
            points[:, 0], points[:, 1], s=size, color="#40ff80", edgecolors="black", linewidths=0.3, clip_on=False
        )
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    title = _title(predicted, true, unit, name, cells, points)
    figure.suptitle(_wrapped(title, int(canvas.get_width_height()[0] / _LETTER)), fontsize="medium")
    bar = figure.colorbar(ScalarMappable(Normalize(0, top), _on_grey()), ax=axes, fraction=0.05, pad=0.02, aspect=30)
    bar.set_label(f"{unit or 'points'} per {PATCH} × {PATCH} pixels", fontsize="small")
    bar.ax.tick_params(labelsize="small")
    return pixels_of(canvas)


def _blended(image: Bytes, share: Tensor) -> Bytes:
    """[H, W, 3] the greyed image under the density, opaque in proportion to the root of its ``share`` [h, w]."""
    height, width = image.shape[:2]
    wide = F.interpolate(share[None, None], size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    strength = wide[0, 0].clamp(0, 1).numpy()
    grey = image.astype(np.float32) / 255
    grey = 0.15 + 0.7 * (0.6 * grey.mean(axis=2, keepdims=True) + 0.4 * grey)
    return np.round(255 * _under(grey, strength)).astype(np.uint8)


def _under(below: Floats | Floats32, strength: Floats | Floats32) -> Floats | Floats32:
    """[..., 3] the colours ``below`` in [0, 1] under densities [...] in [0, 1]."""
    alpha = 0.8 * np.sqrt(strength)[..., None]
    return np.asarray((1 - alpha) * below + alpha * _COLOURS(strength)[..., :3])


def _on_grey() -> ListedColormap:
    """The colours as they look on a grey image."""
    return ListedColormap(_under(np.full((256, 3), _GREY), np.linspace(0, 1, 256)))


def _canvas(image: Bytes) -> tuple[Figure, FigureCanvasAgg]:
    """A figure in which the image has about its own size, with room for the title and the scale."""
    height, width = image.shape[:2]
    figure = Figure(figsize=(max(width + 110, NARROWEST) / _DPI, (height + 60) / _DPI), dpi=_DPI, layout="constrained")
    return figure, FigureCanvasAgg(figure)


def _title(
    predicted: float, true: float | None, unit: str, name: str, cells: Tensor, points: Floats | None
) -> list[str]:
    """The name of the image, the counts, and what else must be said."""
    counts = f"predicted {predicted:,.1f}" + ("" if true is None else f", true {true:,.0f}")
    lines = [name, f"{counts} {unit}".strip()]
    below = float(cells.clamp(max=0).sum())
    if -below > 0.05 * max(1.0, abs(predicted)):
        lines.append(f"negative density {below:,.1f} is not shown")
    if not bool((cells > 0).any()):
        lines.append("no density above 0")
    if points is not None and 0 < len(points) <= MOST_DOTS:
        lines[-1] += "; dots: true points"
    return lines


def _wrapped(lines: Sequence[str], letters: int) -> str:
    """The lines, those too long broken; names of files may be broken anywhere."""
    return "\n".join(part for line in lines for part in textwrap.wrap(line, letters))
