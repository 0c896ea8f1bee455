"""Agreement of predictions with labels: correlation of ranks, of values, of pairs, and the error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

FEWEST = 3
"""Points below which a correlation says nothing: two points always correlate by 1 or -1."""


def srocc(predicted: Floats, labels: Floats) -> float:
    """Spearman's rank correlation of [n] and [n]; equals take the mean of their ranks. NaN as :func:`plcc`."""
    return plcc(stats.rankdata(predicted), stats.rankdata(labels))


def plcc(predicted: Floats, labels: Floats) -> float:
    """Pearson's linear correlation; NaN with fewer than three points, or where all of a side are equal."""
    if _undefined(predicted, labels):
        return float("nan")
    x, y = _standardized(predicted), _standardized(labels)
    return float(np.clip(np.mean(x * y), -1, 1))


def krocc(predicted: Floats, labels: Floats) -> float:
    """Kendall's tau-b: pairs in equal order less pairs in opposite order, corrected for ties. NaN as :func:`plcc`."""
    if _undefined(predicted, labels):
        return float("nan")
    return float(stats.kendalltau(predicted, labels, variant="b").statistic)


def rmse(predicted: Floats, labels: Floats) -> float:
    """Root of the mean squared error, in the unit of the labels; NaN without points."""
    return float(np.sqrt(np.mean((predicted - labels) ** 2))) if len(labels) else float("nan")


def mae(predicted: Floats, labels: Floats) -> float:
    """Mean of the absolute errors, in the unit of the labels; NaN without points."""
    return float(np.mean(np.abs(predicted - labels))) if len(labels) else float("nan")


def _undefined(*sides: Floats) -> bool:
    return any(len(side) < FEWEST or side.min() == side.max() for side in sides)


def _standardized(values: Floats) -> Floats:
    """Mean 0 and standard deviation 1; first brought to a range that no square over- or underflows."""
    values = values - values.mean()
    values = values / np.abs(values).max()
    return np.asarray(values / np.sqrt(np.mean(values**2)))
