"""All metrics of one set of images, of its groups, and of random subsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.draws import Draws
from rankhub_quality.evaluation.logistic import Curve, fit
from rankhub_ranking.labeled import summary
from rankhub_ranking.metrics import krocc, plcc, rmse, srocc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

METRICS = ("srocc", "plcc", "krocc", "rmse", "plcc_fitted", "rmse_fitted")
SUMMARIES = ("mean", "median", "std")
"""What is told of metrics over subsets."""


def measure(predicted: Floats, labels: Floats, curve: Curve | None = None) -> dict[str, float]:
    """The metrics ``METRICS``, NaN where one is undefined; ``curve`` None = the one fitted to these images."""
    if not len(labels):
        return dict.fromkeys(METRICS, float("nan"))
    fitted = (curve or fit(predicted, labels))(predicted)
    found = (
        srocc(predicted, labels),
        plcc(predicted, labels),
        krocc(predicted, labels),
        rmse(predicted, labels),
        plcc(fitted, labels),
        rmse(fitted, labels),
    )
    return dict(zip(METRICS, found, strict=True))


def groups_of(names: Sequence[str]) -> Iterator[tuple[str, Ints]]:
    """Each name in use and its rows, sorted by name; rows without a name are in no group."""
    column = np.asarray(names, dtype=object)
    for name in sorted({name for name in names if name}):
        yield name, np.flatnonzero(column == name)


def by_group(predicted: Floats, labels: Floats, names: Sequence[str], curve: Curve, what: str) -> list[dict[str, Any]]:
    """One line a group: its name under ``what``, its images, and its metrics by the curve of all images."""
    return [
        {what: name, "images": len(rows), **measure(predicted[rows], labels[rows], curve)}
        for name, rows in groups_of(names)
    ]


def subsets(units: Sequence[str], repeats: int, share: float, seed: int) -> Iterator[Ints]:
    """Rows of random subsets: a share of the units (references; at least one) with all of their images.

    ``units`` [n]: to which unit each image belongs; one without a name is a unit by itself.
    """
    names = {name: index for index, name in enumerate(dict.fromkeys(name for name in units if name))}
    unit_of = np.array([names.get(name, -1) for name in units])
    alone = np.flatnonzero(unit_of < 0)
    unit_of[alone] = len(names) + np.arange(len(alone))
    count = len(names) + len(alone)
    orders = Draws(seed, "quality/subsets", 0).at(np.arange(repeats), 0).permutations("units", count)
    for order in orders:
        yield np.flatnonzero(np.isin(unit_of, order[: max(1, round(share * count))]))


def repeated(predicted: Floats, labels: Floats, parts: Iterable[Ints]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The metrics of subsets, each with a curve of its own, and what they come to.

    One line a subset; and ``METRIC_mean``, ``METRIC_median`` and ``METRIC_std`` over the subsets.
    """
    lines: list[dict[str, Any]] = [
        {"subset": number, "images": len(rows), **measure(predicted[rows], labels[rows])}
        for number, rows in enumerate(parts)
    ]
    return lines, summary(lines, METRICS, SUMMARIES)
