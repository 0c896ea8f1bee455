"""What labels mean, as far as it is measured or compared once a data set is open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import LabelSpec


def measured(label: LabelSpec, scores: npt.NDArray[np.float64]) -> LabelSpec:
    """The same, with the mean and the standard deviation of [n] turned scores or numbers of points.

    They are NaN where missing. Without any the mean is 0; where all are equal the standard deviation is 1.
    """
    known = scores[~np.isnan(scores)]
    if not len(known):
        return label
    spread = float(known.std())
    return replace(label, mean=float(known.mean()), std=spread if spread > 0 else 1.0)


def in_classes_of(label: LabelSpec, other: LabelSpec, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """[n] class numbers from 0 of ``label`` as ``other`` numbers its classes; two folders number theirs independently.

    They are matched by name, -1 where ``other`` has no class of that name. Where one of the two has no names, the
    numbers are taken to mean the same.
    """
    if not label.classes or not other.classes or label.classes == other.classes:
        return labels
    number = {name: at for at, name in enumerate(other.classes)}
    return np.array([number.get(name, -1) for name in label.classes], dtype=np.int64)[labels]
