"""Logistic regression whose regularisation is chosen on a part of its own training set.

Nothing here takes a test label.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.draws import Draws
from rankhub_ranking.similarity import RESOLUTION

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Features = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Trial = tuple[float, float]
"""C, and the accuracy on the held-out part."""

_PATIENCE = 2
"""Trials in a row that must be clearly worse than the best before the rest of the grid is passed over."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A regularisation that was chosen.

    Attributes:
        c: Inverse strength, scikit-learn's ``C``.
        trials: Those that were made, the smallest C first.
        held_out: Images in that part.
    """

    c: float
    trials: Sequence[Trial]
    held_out: int


@dataclass(frozen=True, slots=True)
class ClassPrediction:
    """The predicted classes of m test images.

    Attributes:
        likeliest: [m, classes] which classes no other exceeds; several where their logits are equal, compared on the
            grid of :mod:`rankhub_ranking.similarity`.
        classes: [classes] their numbers.
        converged: Whether the solver stopped before its last iteration.
    """

    likeliest: npt.NDArray[np.bool_]
    classes: Ints
    converged: bool

    def right(self, labels: Ints) -> npt.NDArray[np.float64]:
        """[m] 1 where the class is ``labels``', its share where equals share it: the mean over all ways to choose."""
        found = (self.likeliest & (self.classes == labels[:, None])).sum(axis=1)
        return np.asarray(found / self.likeliest.sum(axis=1), dtype=np.float64)


def held_out_part(labels: Ints, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """[n] which images are held out: of each class the given share, at least one; of a class of one image none."""
    held = np.zeros(len(labels), bool)
    classes = np.unique(labels)
    generators = Draws(seed, "linear_probe", 0).at(classes, 0).generators("held out")
    for number, generator in zip(classes, generators, strict=True):
        rows = generator.permutation(np.flatnonzero(labels == number))
        if len(rows) > 1:
            held[rows[: min(len(rows) - 1, max(1, round(share * len(rows))))]] = True
    return held


def choose(
    features: Features, labels: Ints, grid: Sequence[float], share: float, seed: int, max_iter: int
) -> Choice | None:
    """The C of ``grid`` that is best on a held-out, stratified part of the training set; of equals the smallest.

    The grid is gone through from the smallest C on, each fit starting from the one before. It ends early once two
    trials in a row are worse than the best by two standard errors: the larger C that remain fit ever closer to the
    training images, and are by far the slowest.

    None where no class has two images, so that nothing can be held out.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    held = held_out_part(labels, share, seed)
    if not held.any():
        return None
    train, test = standardized(features[~held], features[held])
    model = LogisticRegression(max_iter=max_iter, warm_start=True)
    trials: list[Trial] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for c in sorted(set(grid)):
            model.set_params(C=c).fit(train, labels[~held])
            trials.append((c, float(_predicted(model, test).right(labels[held]).mean())))
            if _past_the_best(trials, int(held.sum())):
                break
    best = _best(trials)
    return Choice(best[0], trials, int(held.sum()))


def _best(trials: Sequence[Trial]) -> Trial:
    return max(trials, key=lambda trial: (trial[1], -trial[0]))


def _past_the_best(trials: Sequence[Trial], images: int) -> bool:
    _, accuracy = _best(trials)
    error = math.sqrt(accuracy * (1 - accuracy) / images)
    latest = trials[-_PATIENCE:]
    return len(latest) == _PATIENCE and all(other < accuracy - 2 * error for _, other in latest)


def predict(features: Features, labels: Ints, test: Features, c: float, max_iter: int) -> ClassPrediction:
    """Fit on all of the training set, from zero weights, and classify the test set.

    The same as scikit-learn's ``LogisticRegression(C=c, max_iter=max_iter)`` on features from its
    ``StandardScaler``, in float64.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    train, seen = standardized(features, test)
    model = LogisticRegression(C=c, max_iter=max_iter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, labels)
    return _predicted(model, seen)


def _predicted(model: LogisticRegression, test: npt.NDArray[np.float64]) -> ClassPrediction:
    logits = np.asarray(model.decision_function(test))
    if logits.ndim == 1:  # of the second of two classes; that of the first is 0
        logits = np.stack([np.zeros_like(logits), logits], axis=1)
    cells = np.round(logits / RESOLUTION)
    likeliest = cells == cells.max(axis=1, keepdims=True)
    return ClassPrediction(likeliest, model.classes_, bool(np.max(model.n_iter_) < model.max_iter))


def standardized(train: Features, test: Features) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Both in float64 with the mean and the deviation of ``train``; constant columns become 0."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(copy=False)
    fitted = scaler.fit_transform(train.astype(np.float64))
    return fitted, scaler.transform(test.astype(np.float64))
