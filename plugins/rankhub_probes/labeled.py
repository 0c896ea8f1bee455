"""Features with the class of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationSource
from rankhub_data.meaning import in_classes_of
from rankhub_probes.classifier import Ints
from rankhub_probes.features import matrix


@dataclass(frozen=True, slots=True)
class LabeledFeatures:
    """The labeled images of a data set.

    Attributes:
        data: Name of the data set.
        features: [n, D] float32.
        labels: [n] class numbers from 0.
        kept: [n] position of each image in the data set, ascending.
        spec: What the labels are.
        notes: How many images have no label.
    """

    data: str
    features: Tensor
    labels: Ints
    kept: Ints
    spec: LabelSpec
    notes: Sequence[str]

    def rows_of(self, positions: Ints) -> Ints:
        """Rows of the images at ``positions`` of the data set that have a label."""
        return np.flatnonzero(np.isin(self.kept, positions))

    def in_classes_of(self, train: LabeledFeatures) -> tuple[Ints, list[str]]:
        """[n] the labels by the numbers of ``train``'s classes, -1 where it has no image of that class."""
        labels = in_classes_of(self.spec, train.spec, self.labels)
        strange = ~np.isin(labels, train.labels)
        if not strange.any():
            return labels, []
        note = (
            f"linear_probe: {strange.sum():,} of {len(labels):,} images of {self.data!r} are of classes without an "
            f"image in {train.data!r}; they count as wrong"
        )
        return np.where(strange, -1, labels), [note]

    def by_class(self, right: npt.NDArray[np.float64]) -> list[dict[str, Any]]:
        """One line a class with the mean of ``right`` ([n]) over its images."""
        lines = []
        for label in np.unique(self.labels).tolist():
            mine = self.labels == label
            name = self.spec.classes[label] if self.spec.classes else str(label)
            lines.append({"class": name, "images": int(mine.sum()), "accuracy": float(right[mine].mean())})
        return lines


def labeled_features(source: EvaluationSource, data: str, output: str, evaluator: str) -> LabeledFeatures:
    """The features of the labeled images of ``data``.

    Raises:
        UserError: No image has a label, or the output is a map.
    """
    table = source.outputs(data, output)
    values = matrix(table, output, evaluator)
    labels = np.full(len(values), -1) if table.labels is None else np.asarray(table.labels, dtype=np.int64)
    kept = np.flatnonzero(labels >= 0)
    if not len(kept):
        raise UserError(f"{evaluator} learns classes, and no image of data set {data!r} has a label")
    notes = []
    if len(kept) < len(labels):
        missing = len(labels) - len(kept)
        notes = [f"{evaluator}: {missing:,} of {len(labels):,} images of {data!r} have no label and are left out"]
        values = values[torch.from_numpy(kept)]
    return LabeledFeatures(data, values, labels[kept], kept, source.dataset(data).label, notes)
