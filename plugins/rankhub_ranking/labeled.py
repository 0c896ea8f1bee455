"""The images of a data set that have a number as label, with one predicted number each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationSource

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

ROUNDING = 1e-6
"""Predictions that differ by less, as a share of the largest, differ by the rounding of float32 only."""


@dataclass(frozen=True, slots=True)
class Labeled:
    """Labels and predictions.

    Attributes:
        images: How many the data set has, with and without a label.
        rows: [n] positions in the data set of those with a label, ascending; perhaps none.
        predicted: [n], finite or not.
        labels: [n], known.
    """

    images: int
    rows: Ints
    predicted: Floats
    labels: Floats


def labeled(source: EvaluationSource, data: str, output: str) -> Labeled:
    """Predictions and labels of the images of ``data`` that have a label; NaN is none.

    Raises:
        UserError: The output is not one number an image.
    """
    table = source.outputs(data, output)
    predicted = one_number(table.values, output)
    labels = np.full(len(predicted), np.nan) if table.labels is None else np.asarray(table.labels, dtype=np.float64)
    rows = np.flatnonzero(~np.isnan(labels))
    return Labeled(len(labels), rows, predicted[rows], labels[rows])


def one_number(values: Tensor | Sequence[Tensor], output: str) -> Floats:
    """[n] float64 of a table [n] or [n, 1].

    Raises:
        UserError: There are more numbers an image.
    """
    if not isinstance(values, Tensor):
        raise UserError(
            f"output {output!r} is a map, but a prediction is one number; name another output of that head, such as "
            "`count`"
        )
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise UserError(
            f"output {output!r} is {list(values.shape[1:])} numbers an image, but a prediction is one; "
            "name the output of a head such as `score`"
        )
    return np.asarray(values.cpu().double().numpy())


def without_rounding(predicted: Floats) -> Floats:
    """[n] finite predictions; made equal where they are but for rounding, since a collapsed network ranks nothing."""
    if len(predicted) and np.ptp(predicted) <= ROUNDING * np.abs(predicted).max():
        return np.full_like(predicted, predicted[0])
    return predicted
