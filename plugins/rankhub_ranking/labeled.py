"""The images of a data set that have a number as label, with one predicted number each, as evaluators compare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """The labeled images of a data set.

    Attributes:
        data: Name of the data set.
        rows: [n] positions in the data set, ascending; at least one.
        predicted: [n], finite or not.
        labels: [n], known.
        notes: Sentences on what was left out.
    """

    data: str
    rows: Ints
    predicted: Floats
    labels: Floats
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def finite(self) -> bool:
        """Whether all predictions are."""
        return bool(np.isfinite(self.predicted).all())

    def fact(self, source: EvaluationSource, name: str) -> list[str] | None:
        """[n] what the data set knows of each image under ``name``, empty where nothing; None if it knows of none."""
        known: Sequence[str] | None = source.dataset(self.data).facts(name)
        if known is None:
            return None
        found = [known[row] for row in self.rows.tolist()]
        return found if any(found) else None

    def paths(self, source: EvaluationSource) -> list[str]:
        """[n] path of each image below the data set's folder, or its position."""
        return self.fact(source, "path") or [str(row) for row in self.rows]


def labeled(source: EvaluationSource, data: str, output: str, lack: tuple[str, str]) -> Labeled:
    """Predictions and labels of the images of ``data`` that have a label; NaN is none.

    ``lack``: what no image does where none has a label, and some do without ("is annotated", "are not annotated and").

    Raises:
        UserError: No image has a label, or the output is not one number an image.
    """
    table = source.outputs(data, output)
    predicted = one_number(table.values, output)
    labels = np.full(len(predicted), np.nan) if table.labels is None else np.asarray(table.labels, dtype=np.float64)
    rows = np.flatnonzero(~np.isnan(labels))
    if not len(rows):
        raise UserError(f"no image of data set {data!r} {lack[0]}, so there is nothing to compare predictions with")
    without = len(labels) - len(rows)
    notes = (f"{without} of {len(labels)} images of {data!r} {lack[1]} left out",) if without else ()
    return Labeled(data, rows, predicted[rows], labels[rows], notes)


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


def lines_of(columns: Mapping[str, Iterable[Any] | None]) -> list[dict[str, Any]]:
    """One line a row of these columns of one length; a column that is None is left out."""
    known = {name: values for name, values in columns.items() if values is not None}
    return [dict(zip(known, line, strict=True)) for line in zip(*known.values(), strict=True)]


def summary(
    lines: Sequence[Mapping[str, Any]], names: Sequence[str], of: Sequence[str], sets: str = ""
) -> dict[str, float]:
    """Metrics over several sets of images, as far as they are defined there; NaN where one is in none.

    ``of``: which of ``mean``, ``median`` and ``std`` (divided by their number less one; 0 of a single one). ``sets``
    stands before these in the names of what comes back: ``METRIC_fold_mean``.
    """
    found: dict[str, float] = {}
    for name in names:
        values = np.array([line[name] for line in lines], dtype=np.float64)
        known = values[~np.isnan(values)]
        figures = dict.fromkeys(of, float("nan"))
        if len(known):
            spread = known.std(ddof=min(1, len(known) - 1))
            figures = {"mean": float(known.mean()), "median": float(np.median(known)), "std": float(spread)}
        found |= {f"{name}_{sets}{one}": figures[one] for one in of}
    return found
