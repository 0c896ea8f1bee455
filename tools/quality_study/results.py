"""Predictions of all folds, and what they come to."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from comparison.results import is_done
from quality_study.runs import Runs
from quality_study.study import METHODS, units
from scipy import stats

CERTAIN = "file order"
"""``matched_by`` of the rows whose label is certain."""


@dataclass(frozen=True)
class Predictions:
    """One row a scored image, on the data set's own scale.

    Attributes:
        images: [n] paths.
        references: [n].
        true: [n].
        predicted: [n], by a network that has not trained on the image's reference.
    """

    images: Sequence[str]
    references: Sequence[str]
    true: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.float64]

    def only(self, images: Iterable[str]) -> Predictions:
        """The rows of some images."""
        wanted = set(images)
        keep = np.array([name in wanted for name in self.images])
        names = [name for name, kept in zip(self.images, keep, strict=True) if kept]
        references = [name for name, kept in zip(self.references, keep, strict=True) if kept]
        return Predictions(names, references, self.true[keep], self.predicted[keep])

    def measure(self) -> dict[str, float]:
        """SROCC and PLCC pooled over all rows, and their means over the references."""
        found = {"srocc": _srocc(self.true, self.predicted), "plcc": _plcc(self.true, self.predicted)}
        column = np.array(self.references)
        parts = [(self.true[column == name], self.predicted[column == name]) for name in np.unique(column)]
        found["srocc_folds"] = float(np.mean([_srocc(*part) for part in parts]))
        found["plcc_folds"] = float(np.mean([_plcc(*part) for part in parts]))
        return found


def _srocc(true: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> float:
    return _correlation(stats.spearmanr, true, predicted)


def _plcc(true: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> float:
    return _correlation(stats.pearsonr, true, predicted)


def _correlation(law: object, true: npt.NDArray[np.float64], predicted: npt.NDArray[np.float64]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a constant prediction; the result is NaN and shown as such
        return float(law(true, predicted).statistic)  # type: ignore[operator]


def read(folders: Sequence[Path]) -> Predictions:
    """The tables ``quality_images.csv`` of some runs, one after the other."""
    rows: list[Mapping[str, str]] = []
    for folder in folders:
        with (folder / "evaluation" / "after_training" / "quality_images.csv").open() as file:
            rows += list(csv.DictReader(file))
    # Without a label there is no scale: the evaluator's own turn has made the score run as DMOS does.
    true, predicted = (np.array([float(row[name]) for row in rows]) for name in ("score", "predicted"))
    return Predictions([row["image"] for row in rows], [row["reference"] for row in rows], true, predicted)


def certain(labels: Path) -> list[str]:
    """Images whose label is certain."""
    with labels.open() as file:
        return [row["image"] for row in csv.DictReader(file) if row["matched_by"] == CERTAIN]


def found(runs: Runs) -> dict[tuple[str, float, int], Predictions]:
    """(method, share of the labels, seed) -> predictions out of fold, of all that is complete."""
    there: dict[tuple[str, float, int], Predictions] = {}
    for share, seed in units():
        for name, method in METHODS.items():
            if not method.trials:
                jobs = [runs.ranking(seed)]
            elif (trial := runs.chosen(name)) is not None:
                folds = range(runs.study.references)
                jobs = [runs.final(name, share, seed, fold, method.setting(trial)) for fold in folds]
            else:
                continue
            if all(map(is_done, jobs)):
                there[name, share, seed] = read([job.folder for job in jobs])
    return there
