"""Errors of predicted counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub_ranking.labeled import summary

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METRICS = ("mae", "rmse", "relative_error", "bias")


def measure(predicted: Floats, counts: Floats) -> dict[str, float]:
    """The metrics ``METRICS``, NaN where one is undefined.

    - ``mae``: mean of |predicted - true|.
    - ``rmse``: root of the mean of (predicted - true)^2, which papers on counting print as MSE.
    - ``relative_error``: mean of |predicted - true| / true over the images with at least one point.
    - ``bias``: mean of predicted - true.

    Args:
        predicted: [n].
        counts: [n] true counts, at least 0.
    """
    if not len(counts):
        return dict.fromkeys(METRICS, float("nan"))
    error = predicted - counts
    some = counts > 0
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "relative_error": float((np.abs(error[some]) / counts[some]).mean()) if some.any() else float("nan"),
        "bias": float(error.mean()),
    }


def by_fold(
    predicted: Floats, counts: Floats, folds: Ints, further: Mapping[str, Floats]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The metrics of each fold, and their mean over the folds.

    Args:
        predicted: [n].
        counts: [n].
        folds: [n] the fold of each image, -1 for one that is in none.
        further: Name -> [n] figures of single images, of which the mean is the metric.

    Returns:
        One line a fold; and ``METRIC_fold_mean`` and ``METRIC_fold_std`` over the folds.
    """
    lines: list[dict[str, Any]] = []
    for fold in np.unique(folds[folds >= 0]).tolist():
        rows = np.flatnonzero(folds == fold)
        means = {name: float(values[rows].mean()) for name, values in further.items()}
        lines.append({"fold": fold, "images": len(rows), **measure(predicted[rows], counts[rows]), **means})
    return lines, summary(lines, (*METRICS, *further), ("mean", "std"), "fold_")
