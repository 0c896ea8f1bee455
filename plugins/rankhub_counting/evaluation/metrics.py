"""Errors of predicted counts, and what always answering a mean count would come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationSource
from rankhub_counting.evaluation.counted import Counted
from rankhub_ranking.labeled import summary
from rankhub_ranking.metrics import mae, rmse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METRICS = ("mae", "rmse", "relative_error", "bias")


def measure(predicted: Floats, counts: Floats) -> dict[str, float]:
    """The metrics ``METRICS``, NaN where one is undefined.

    - ``mae``: mean of |predicted - true|.
    - ``rmse``: root of the mean of (predicted - true)^2, which papers on counting print as MSE.
    - ``relative_error``: mean of |predicted - true| / true over the images with at least one point.
    - ``bias``: mean of predicted - true.
    """
    if not len(counts):
        return dict.fromkeys(METRICS, float("nan"))
    error = predicted - counts
    some = counts > 0
    return {
        "mae": mae(predicted, counts),
        "rmse": rmse(predicted, counts),
        "relative_error": float((np.abs(error[some]) / counts[some]).mean()) if some.any() else float("nan"),
        "bias": float(error.mean()),
    }


def by_fold(
    predicted: Floats, counts: Floats, folds: Ints, further: Mapping[str, Floats]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The metrics of each fold, and their mean over the folds.

    One line a fold, and ``METRIC_fold_mean`` and ``METRIC_fold_std`` over the folds. ``folds`` [n]: -1 = in none.
    ``further``: name -> [n] figures of single images, of which the mean is the metric.
    """
    lines: list[dict[str, Any]] = []
    for fold in np.unique(folds[folds >= 0]).tolist():
        rows = np.flatnonzero(folds == fold)
        means = {name: float(values[rows].mean()) for name, values in further.items()}
        lines.append({"fold": fold, "images": len(rows), **measure(predicted[rows], counts[rows]), **means})
    return lines, summary(lines, (*METRICS, *further), ("mean", "std"), "fold_")


NAMES = ("training_mean", "other_folds_mean", "own_mean")


@dataclass(frozen=True, slots=True)
class Baseline:
    """Answers that look at no image.

    Attributes:
        name: One of ``NAMES``: whose mean it is.
        answers: [n].
        note: A sentence that says so.
    """

    name: str
    answers: Floats
    note: str


def baseline(source: EvaluationSource, images: Counted, train: str | None) -> Baseline:
    """The mean count of the training data if they are named, else of the other folds, else of these very images.

    The last one is no rival that could be had in practice: it knows the mean of what it is judged on, so its MAE is a
    little lower than that of a mean over other images.

    Raises:
        UserError: No image of ``train`` is annotated.
    """
    if train is not None:
        labels = source.dataset(train).labels()
        known = np.empty(0) if labels is None else np.asarray(labels, dtype=np.float64)
        known = known[~np.isnan(known)]
        if not len(known):
            raise UserError(f"no image of data set {train!r} is annotated, so it has no mean count to compare with")
        mean = float(known.mean())
        note = f"*_of_training_mean always answers {mean:,.4g}, the mean count of the {len(known)} images of {train!r}"
        return Baseline("training_mean", np.full(len(images), mean), note)
    folds = images.folds
    if folds is not None and len(np.unique(folds)) > 1:
        answers = np.empty(len(images))
        for fold in np.unique(folds):
            answers[folds == fold] = images.labels[folds != fold].mean()
        note = f"*_of_other_folds_mean answers for each fold of {images.data!r} the mean count of all other folds"
        return Baseline("other_folds_mean", answers, note)
    mean = float(images.labels.mean())
    note = (
        f"*_of_own_mean always answers {mean:,.4g}, the mean count of the very images of {images.data!r} that are "
        "judged, which flatters it; `train: DATA` takes that of the training data"
    )
    return Baseline("own_mean", np.full(len(images), mean), note)
