"""A linear classifier on frozen features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import MinLen

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, Gt, Lt, OutputName
from rankhub_probes.classifier import Choice, ClassPrediction, Ints, choose, predict
from rankhub_probes.features import collapsed, undefined
from rankhub_probes.labeled import LabeledFeatures, labeled_features

OWNER = "linear_probe"

Grid = Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)]
"""Candidates for C, at least one."""


class LinearProbe(Evaluator):
    """Accuracy of multinomial logistic regression on frozen features.

    Minimizes |W|^2 / 2 + C sum_i -ln softmax(W x_i + b)[y_i] over the training images by L-BFGS (scikit-learn), on
    features standardized with the training images' mean and deviation, in float64.

    C is chosen on training labels alone: each class gives the share ``held_out`` of its training images, the C of
    ``grid`` are fitted to the rest (from the smallest on, until two in a row are clearly worse than the best), and
    the one that is best on the held-out images (of equals the smallest) is fitted to all training images. Test
    images are only classified; classes of equal logits, as after a collapse, share an image, whatever their numbers.
    Choosing by test accuracy, as some public probes do, reports too high a figure.

    With ``folds`` the training set's own folds are used, as in STL-10's standard protocol: for each fold, C is
    chosen and a classifier fitted on that fold's images alone, and the accuracy is the mean over folds;
    ``accuracy_std`` is the standard deviation over folds (divided by their number less one). Papers on
    self-supervised learning mostly fit all 5,000 training images of STL-10 at once: the default here. The two
    must not be compared.

    Args:
        train: Labeled images to fit.
        test: Labeled images to classify; none of ``train``.
        output: ``backbone`` or ``HEAD.OUTPUT``.
        folds: Fit each fold of ``train`` alone and average.
        grid: Candidates for C, the inverse strength of the regularisation.
        held_out: Share of each class's training images on which C is chosen.
        seed: Another seed holds out other images.
        max_iter: Iterations of the solver at most.
    """

    def __init__(
        self,
        *,
        train: DataName,
        test: DataName,
        output: OutputName = "backbone",
        folds: bool = False,
        grid: Grid = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0),
        held_out: Annotated[float, Gt(0), Lt(1)] = 0.2,
        seed: Annotated[int, Ge(0)] = 0,
        max_iter: Annotated[int, Ge(1)] = 1_000,
    ) -> None:
        if train == test:
            raise Objection(f"train and test are both {train!r}; a probe is tested on images that it was not fitted to")
        self.train = train
        self.test = test
        self.output = output
        self.folds = folds
        self.grid = tuple(grid)
        self.held_out = held_out
        self.seed = seed
        self.max_iter = max_iter

    def check(self, data: Mapping[str, LabelSpec]) -> Iterable[str]:
        """Both data sets must have classes."""
        for name in (self.train, self.test):
            kind = data[name].kind
            if kind != "class":
                have = "no labels" if kind is None else f"labels of kind {kind}"
                yield f"{OWNER} learns classes, and data set {name!r} has {have}"

    def headline(self) -> Sequence[str]:
        """``accuracy``."""
        return ["accuracy"]

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Fit and test on the features of one row of the report.

        Raises:
            UserError: No labels, no folds, or too few images of too few classes.
        """
        train = labeled_features(source, self.train, self.output, OWNER)
        test = labeled_features(source, self.test, self.output, OWNER)
        metrics = ["accuracy", "accuracy_std"] if self.folds else ["accuracy"]
        for table in (train, test):
            result = undefined(table.features, metrics, OWNER, source.row)
            if result is not None:
                return result
        parts = self._parts(source, train)
        truth, notes = test.in_classes_of(train)
        fits = [self._fit(train, part, test) for part in parts]
        right = np.stack([prediction.right(truth) for _, prediction in fits])
        accuracy = right.mean(axis=1)
        found = {"accuracy": float(accuracy.mean())}
        if self.folds:
            found["accuracy_std"] = float(accuracy.std(ddof=1)) if len(accuracy) > 1 else 0.0
        notes = [*train.notes, *test.notes, *notes, self._chosen(source.row, fits, parts)]
        if collapsed(train.features):
            notes.append(f"{OWNER}, {source.row}: the features of all training images are equal (collapsed)")
        if not all(prediction.converged for _, prediction in fits):
            notes.append(f"{OWNER}, {source.row}: the solver used all {self.max_iter:,} iterations; raise max_iter")
        tables = {
            "regularisation": _trials(fits, accuracy),
            "per_class": test.by_class(right.mean(axis=0)),
        }
        return EvaluationResult(found, tables, notes=notes)

    def _parts(self, source: EvaluationSource, train: LabeledFeatures) -> list[Ints]:
        """Rows of ``train`` for each fit."""
        if not self.folds:
            return [np.arange(len(train.labels))]
        folds = source.dataset(self.train).folds()
        if not folds:
            raise UserError(f"{OWNER}: data set {self.train!r} has no folds; set folds: false, or name one that has")
        return [train.rows_of(fold) for fold in folds]

    def _fit(self, train: LabeledFeatures, part: Ints, test: LabeledFeatures) -> tuple[Choice, ClassPrediction]:
        features, labels = train.features.numpy()[part], train.labels[part]
        classes = len(np.unique(labels))
        if classes < 2:
            raise UserError(
                f"{OWNER} needs training images of at least two classes, and {self.train!r} has {len(labels):,} "
                f"of {classes}"
            )
        choice = choose(features, labels, self.grid, self.held_out, self.seed, self.max_iter)
        if choice is None:
            raise UserError(
                f"{OWNER} chooses C on a part of the training set, and no class of {self.train!r} has two images; "
                "label more images"
            )
        return choice, predict(features, labels, test.features.numpy(), choice.c, self.max_iter)

    def _chosen(self, row: str, fits: Sequence[tuple[Choice, ClassPrediction]], parts: Sequence[Ints]) -> str:
        counts = Counter(choice.c for choice, _ in fits)
        held, of = sum(choice.held_out for choice, _ in fits), sum(map(len, parts))
        if self.folds:
            which = ", ".join(f"{c:g} ({count} of {len(fits)} folds)" for c, count in sorted(counts.items()))
        else:
            which = f"{fits[0][0].c:g}"
        note = f"{OWNER}, {row}: C = {which}, chosen on {held:,} of {of:,} training images"
        for c, edge, way in ((min(self.grid), "smallest", "smaller"), (max(self.grid), "largest", "larger")):
            if c in counts and len(set(self.grid)) > 1:
                note += f"; {c:g} is the {edge} of the grid, a {way} one may do better"
        return note


def _trials(fits: Sequence[tuple[Choice, ClassPrediction]], accuracy: Sequence[float]) -> list[dict[str, Any]]:
    """One line a fit and a C."""
    return [
        {
            "fold": number,
            "C": c,
            "held_out_accuracy": held,
            "chosen": c == choice.c,
            "test_accuracy": float(accuracy[number]) if c == choice.c else None,
        }
        for number, (choice, _) in enumerate(fits)
        for c, held in choice.trials
    ]
