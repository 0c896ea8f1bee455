"""What stands where in a drawn scene: discs that count, shapes that do not, smaller and denser further up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Shape = Literal["disc", "bar", "triangle", "cross"]

DISC: Shape = "disc"
"""The shape that counts."""
DISTRACTORS: tuple[Shape, ...] = tuple(shape for shape in get_args(Shape) if shape != DISC)
"""Shapes that do not count."""

_CELLS = (48, 64)
"""Rows and columns of the grid on which density is computed; inside a cell it is even."""
_JITTER = 0.12
"""By how much sizes differ in one row, as a share."""


@dataclass(frozen=True, slots=True)
class SceneObject:
    """A shape in a scene: a disc, which counts, or a distractor.

    Attributes:
        shape: Only a ``disc`` counts.
        x: Of its centre, in pixels from the left edge.
        y: Of its centre, in pixels from the top edge; things further down are nearer and hide those further up.
        radius: In pixels, of the disc or of the circle around the shape.
        angle: By which it is turned, in radians.
        colour: Red, green and blue in [0, 1] where light falls on it at right angles.
        texture: How much its pattern varies its brightness, as a share.
        offset: How far down and right in the scene's pattern its own is taken, in [0, 1).
    """

    shape: Shape
    x: float
    y: float
    radius: float
    angle: float
    colour: tuple[float, float, float]
    texture: float
    offset: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Style:
    """What the scenes of a data set have in common: options of ``drawn_scenes``, lengths in pixels."""

    height: int
    width: int
    fewest: int
    most: int
    radius: float
    perspective: float
    distractors: int

    def scale(self, y: npt.ArrayLike) -> Floats:
        """Size of things at ``y`` to that of the nearest: falls linearly to the top, as over a plane."""
        return np.asarray(1 - self.perspective * (1 - np.asarray(y) / self.height), dtype=np.float64)


def lay_out(style: Style, rng: np.random.Generator) -> list[SceneObject]:
    """Draw what stands in a scene, from the nearest to the furthest; every centre lies inside it.

    The number of discs is log-uniform, so that each factor is equally likely. They gather in a few crowds. A row holds
    as many per area of a disc as any other: were each as far from its neighbours on the ground, far rows would hide
    themselves. The number of distractors does not depend on that of discs.
    """
    low, high = np.log([style.fewest + 1, style.most + 1])
    discs = round(float(np.exp(rng.uniform(low, high)))) - 1
    others = int(rng.integers(0, style.distractors + 1))
    near = style.radius * float(rng.uniform(0.8, 1.25))
    weights = _density(style, rng)
    tint = rng.uniform(0.85, 1.15, 3)
    shapes: list[Shape] = [DISC] * discs
    shapes += [DISTRACTORS[n] for n in rng.integers(0, len(DISTRACTORS), others)]
    centres = _centres(style, weights, len(shapes), rng)
    radii = near * style.scale(centres[:, 1]) * rng.uniform(1 - _JITTER, 1 + _JITTER, len(shapes))
    angles, light = rng.uniform(0, 2 * np.pi, len(shapes)), rng.uniform(0.3, 1.0, (len(shapes), 1))
    colours = (light * tint * rng.uniform(0.7, 1.1, (len(shapes), 3))).clip(0, 1)
    textures, offsets = rng.uniform(0.1, 0.6, len(shapes)), rng.uniform(0, 1, (len(shapes), 2))
    return [
        SceneObject(
            shapes[n],
            float(centres[n, 0]),
            float(centres[n, 1]),
            float(radii[n]),
            float(angles[n]),
            _triple(colours[n].tolist()),
            float(textures[n]),
            (float(offsets[n, 0]), float(offsets[n, 1])),
        )
        for n in np.argsort(-centres[:, 1], kind="stable").tolist()
    ]


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third


def _density(style: Style, rng: np.random.Generator) -> Floats:
    """[rows * columns] probability of each cell: one to four crowds on a thin ground."""
    rows, columns = _CELLS
    y, x = ((np.arange(rows) + 0.5) / rows)[:, None], ((np.arange(columns) + 0.5) / columns)[None]
    field = np.full(_CELLS, float(rng.uniform(0.05, 0.5)))
    for _ in range(int(rng.integers(1, 5))):
        centre, reach = rng.uniform(0, 1, 2), rng.uniform((0.1, 0.08), (0.4, 0.3))
        field += np.exp(-0.5 * (((x - centre[0]) / reach[0]) ** 2 + ((y - centre[1]) / reach[1]) ** 2))
    weights = (field / style.scale(y * style.height) ** 2).ravel()
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _centres(style: Style, weights: Floats, count: int, rng: np.random.Generator) -> Floats:
    """[count, 2] x and y."""
    rows, columns = _CELLS
    cells = rng.choice(rows * columns, count, p=weights)
    at = np.stack([cells % columns, cells // columns], axis=1) + rng.uniform(0, 1, (count, 2))
    edge = np.array([style.width, style.height], dtype=np.float64)
    return np.minimum(at / (columns, rows) * edge, np.nextafter(edge, 0))  # rounding must not reach the edge
