"""Metrics of pairs of true and predicted values, for the pooled predictions of all folds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


def _correlation(law: Callable[[Floats, Floats], object]) -> Callable[[Floats, Floats], float]:
    def metric(true: Floats, predicted: Floats) -> float:
        if len(true) < 3 or np.ptp(true) == 0 or np.ptp(predicted) == 0:
            return float("nan")
        return float(law(true, predicted).statistic)  # type: ignore[attr-defined]

    return metric


POOLED: Mapping[str, Callable[[Floats, Floats], float]] = MappingProxyType(
    {
        "srocc": _correlation(stats.spearmanr),
        "plcc": _correlation(stats.pearsonr),
        "krocc": _correlation(stats.kendalltau),
        "mae": lambda true, predicted: float(np.mean(np.abs(predicted - true))),
        "rmse": lambda true, predicted: float(np.sqrt(np.mean((predicted - true) ** 2))),
    }
)
"""Name of a metric -> the metric of [n] true and [n] predicted values; a correlation that is undefined is NaN."""
