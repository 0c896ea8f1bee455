"""Images with a label and a prediction, as evaluators compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationSource
from rankhub_ranking.labeled import labeled, without_rounding

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Scored:
    """The labeled images of a data set, higher = better on both sides.

    Attributes:
        data: Name of the data set.
        rows: [n] positions in the data set.
        predicted: [n].
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


def scored(source: EvaluationSource, data: str, output: str) -> Scored:
    """Predictions and labels of the images of ``data`` that have a label.

    Raises:
        UserError: No image has a label, or the output is not one number an image.
    """
    found = labeled(source, data, output)
    rows, predicted = found.rows, found.predicted
    if not len(rows):
        raise UserError(f"no image of data set {data!r} has a score, so there is nothing to compare predictions with")
    notes = []
    if len(rows) < found.images:
        notes.append(f"{found.images - len(rows)} of {found.images} images of {data!r} have no score and are left out")
    if np.isfinite(predicted).all():
        predicted = without_rounding(predicted)
        if len(rows) > 1 and predicted.min() == predicted.max():
            notes.append(f"all images of {data!r} get the same prediction (collapsed), which correlates with nothing")
    else:
        bad = int((~np.isfinite(predicted)).sum())
        notes.append(f"{bad} of {len(rows)} predictions for {data!r} are not finite, so there is no result")
    return Scored(data, rows, predicted, found.labels, tuple(notes))
