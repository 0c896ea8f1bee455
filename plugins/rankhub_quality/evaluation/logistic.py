"""The five-parameter logistic from predictions to labels, fitted by least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.special import expit

Floats = npt.NDArray[np.float64]

FEWEST = 6
"""Different predictions below which five parameters describe rounding and chance: a straight line is fitted."""

_STEEP = (0.25, 50.0)
"""Bounds of the steepness, to one standard deviation of the predictions: from nearly straight to nearly a step."""

_STARTS = 2
"""Of the grid, from which the search goes on."""


@dataclass(frozen=True, slots=True)
class Curve:
    """q(x) = b1 (1/2 - 1 / (1 + exp(b2 (x - b3)))) + b4 x + b5.

    Attributes:
        parameters: b1 to b5; b1 = 0 where a straight line was fitted, b4 = 0 as well where the predictions are equal.
        straight: Whether a straight line was fitted.
    """

    parameters: tuple[float, float, float, float, float]
    straight: bool = False

    def __call__(self, predicted: Floats) -> Floats:
        """[n] the labels that the predictions stand for."""
        b1, b2, b3, b4, b5 = self.parameters
        return np.asarray(b1 * (expit(b2 * (predicted - b3)) - 0.5) + b4 * predicted + b5, dtype=np.float64)

    def turns(self, predicted: Floats) -> bool:
        """Whether the curve rises and falls along these predictions: the lesser by more than 1 % of the greater."""
        changes = np.diff(self(np.sort(predicted)))
        up, down = float(changes.clip(min=0).sum()), float(-changes.clip(max=0).sum())
        return min(up, down) > 0.01 * max(up, down)


def fit(predicted: Floats, labels: Floats) -> Curve:
    """The logistic of least squared error; a straight line where there are too few different predictions.

    For given b2 and b3 the best b1, b4 and b5 follow from a linear system (variable projection: Golub and Pereyra,
    SIAM J. Numer. Anal. 1973), so that only the two are searched, from the best of a grid of starts. b1 may have either
    sign, and b2 > 0 loses nothing, since q is the same with both signs turned. The straight line is contained in the
    system: the curve never fits worse, so the Pearson correlation never falls below the plain one's magnitude. That
    holds for predictions that run the wrong way too; look at the plain correlations for the direction. Both sides are
    standardized before the search, whose tolerances are absolute, so that the unit of neither plays a part.

    Source: Sheikh, Sabir, Bovik: A statistical evaluation of recent full reference image quality assessment
    algorithms, IEEE TIP 2006.
    """
    x, centre, unit = _standardized(predicted)
    y, middle_label, label = _standardized(labels)
    if not x.any():
        return Curve((0.0, 1.0, 0.0, 0.0, float(labels.mean())), straight=True)
    different = np.unique(x)
    if len(different) < FEWEST:
        shape: Floats | None = None
    else:
        shape = _search(x, y, different)
    steep, middle = (1.0, 0.0) if shape is None else (float(np.exp(shape[0])), float(shape[1]))
    b1, b4, b5 = _linear(x, y, None if shape is None else (steep, middle))
    slope = label * b4 / unit
    return Curve(
        (label * b1, steep / unit, centre + unit * middle, slope, middle_label + label * b5 - slope * centre),
        straight=shape is None,
    )


def _standardized(values: Floats) -> tuple[Floats, float, float]:
    """Values of mean 0 and standard deviation 1, that mean, and that deviation; equal ones are 0, with deviation 1."""
    middle, span = float(values.mean()), float(np.ptp(values))
    if not span > 0:
        return np.zeros_like(values), middle, 1.0
    shares = (values - middle) / span  # whose squares neither vanish nor overflow
    return shares / shares.std(), middle, span * float(shares.std())


def _search(x: Floats, labels: Floats, different: Floats) -> Floats:
    """The logarithm of b2, and b3, of least squared error, both on the scale of x."""
    lowest, highest = np.log(_STEEP)
    bounds = np.array([[lowest, different[0]], [highest, different[-1]]])

    def residuals(shape: Floats) -> Floats:
        columns = _columns(x, (float(np.exp(shape[0])), float(shape[1])))
        return np.asarray(columns @ np.linalg.lstsq(columns, labels, rcond=None)[0] - labels)

    def error(shape: Floats) -> float:
        return float(np.sum(residuals(shape) ** 2))

    middles = np.quantile(x, [0.1, 0.3, 0.5, 0.7, 0.9])
    grid = [np.array([np.log(steep), middle]) for steep in (0.7, 2.0, 6.0, 20.0) for middle in middles]
    found = sorted(grid, key=error)[:_STARTS]
    for start in list(found):
        inside = np.clip(start, bounds[0] + 1e-6, bounds[1] - 1e-6)
        found.append(least_squares(residuals, inside, bounds=(bounds[0], bounds[1]), max_nfev=60).x)
    return min(found, key=error)


def _columns(x: Floats, shape: tuple[float, float] | None) -> Floats:
    straight = [x, np.ones_like(x)]
    return np.stack(straight if shape is None else [expit(shape[0] * (x - shape[1])) - 0.5, *straight], axis=1)


def _linear(x: Floats, labels: Floats, shape: tuple[float, float] | None) -> tuple[float, float, float]:
    """b1, b4, b5 of least squared error for a given shape of the logistic (None: without one, b1 = 0)."""
    found = np.linalg.lstsq(_columns(x, shape), labels, rcond=None)[0].tolist()
    return (0.0, found[0], found[1]) if shape is None else (found[0], found[1], found[2])
