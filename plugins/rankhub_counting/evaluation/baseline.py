"""What always answering a mean count would come to: a network that learned anything is below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationSource
from rankhub_counting.evaluation.counted import Counted

Floats = npt.NDArray[np.float64]

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

    Args:
        source: Of the data sets.
        images: Those to answer for.
        train: Data set of the training images, or None.

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
