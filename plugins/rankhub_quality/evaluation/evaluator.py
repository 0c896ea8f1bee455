"""Agreement of predicted scores with people's, as the literature on image quality reports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, Gt, Lt, OutputName
from rankhub_quality.evaluation.logistic import FEWEST as FEWEST_TO_FIT
from rankhub_quality.evaluation.logistic import Curve, fit
from rankhub_quality.evaluation.measure import METRICS, SUMMARIES, by_group, measure, repeated, subsets
from rankhub_quality.evaluation.scatter import scatter
from rankhub_quality.evaluation.scored import scored
from rankhub_ranking.labeled import Labeled, lines_of
from rankhub_ranking.metrics import FEWEST

_NAN = float("nan")


class Quality(Evaluator):
    """Compare one predicted number an image with the scores of a data set.

    - ``srocc``, ``plcc``, ``krocc``, ``rmse``: Spearman's, Pearson's and Kendall's (tau-b) correlation, and the root
      of the mean squared error in the unit of the scores, of the predictions as they are.
    - ``plcc_fitted``, ``rmse_fitted``: after the usual five-parameter logistic from predictions to scores (Sheikh,
      Sabir, Bovik, IEEE TIP 2006), fitted to the very images that are judged. Nothing makes the curve rise: these two
      do not show predictions that run the wrong way, and flatter poor ones where the curve turns, which a note says.
    - ``srocc_by_reference``: mean of ``srocc`` over the pristine images, where the data set knows them.
    - With ``repeats``: ``_mean``, ``_median`` and ``_std`` of the first six over random subsets of the references, each
      with a curve of its own. The network stays the same, so this is the spread of the choice of images alone; the
      spread of training takes runs on several splits.

    Predictions and scores are compared higher = better on both sides, whichever way the data set's own scale runs.
    Tables and pictures turn both back to that scale. Images without a score are left out with a note. A metric that is
    undefined is NaN: a correlation of fewer than three images, or of predictions that are all equal.

    Tables: ``images``, one line each; ``per_kind`` and ``per_reference``, by the curve of all images; ``subsets``.
    The picture ``scatter`` shows true against predicted scores, coloured by kind, with the curve.

    Args:
        data: Data set with scores.
        output: The predicted number: ``HEAD.OUTPUT``.
        by: ``kind``: a table by kind of distortion, and colours in the picture, where the data set knows kinds.
        repeats: Random subsets; 0 = none.
        share: Of the references (of the images, where there are none) in each subset.
        seed: Another seed draws other subsets.
    """

    needs_heads = True
    lower_is_better = frozenset(f"rmse{fitted}{of}" for fitted in ("", "_fitted") for of in ("", "_mean", "_median"))

    def __init__(
        self,
        *,
        data: DataName,
        output: OutputName = "score.score",
        by: Literal["kind"] | None = "kind",
        repeats: Annotated[int, Ge(0)] = 0,
        share: Annotated[float, Gt(0), Lt(1)] = 0.8,
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.data, self.output, self.by = data, output, by
        self.repeats, self.share, self.seed = repeats, share, seed

    def check(self, data: Mapping[str, LabelSpec]) -> Iterable[str]:
        """A sentence if the data set has no scores."""
        if self.data in data and data[self.data].kind != "score":
            kind = data[self.data].kind
            have = f"labels of kind {kind}" if kind else "no labels"
            yield f"quality compares predictions with scores, but data set {self.data!r} has {have}"

    def headline(self) -> Sequence[str]:
        """Correlation of ranks, of values, of fitted values, and the error; over subsets the median."""
        median = ("srocc_median",) if self.repeats else ()
        return ("srocc", "plcc", "plcc_fitted", "rmse", *median)

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Compare, by image, kind, reference and subset.

        Raises:
            UserError: No image has a score, or the output is more than one number an image.
        """
        images = scored(source, self.data, self.output)
        kinds = images.fact(source, "kind") if self.by else None
        references = images.fact(source, "reference")
        label = source.dataset(self.data).label
        notes = list(images.notes)
        columns = {
            "image": images.paths(source),
            "reference": references,
            "kind": kinds,
            "score": label.turned(images.labels).tolist(),
            "predicted": label.turned(images.predicted).tolist(),
        }
        tables: dict[str, Sequence[Mapping[str, Any]]] = {"images": lines_of(columns)}
        if not images.finite:
            return EvaluationResult(self._undefined(references), tables, notes=notes)
        predicted, labels = images.predicted, images.labels
        curve = fit(predicted, labels)
        metrics = measure(predicted, labels, curve)
        notes += _remarks(images, curve, metrics)
        if kinds is not None:
            tables["per_kind"] = by_group(predicted, labels, kinds, curve, "kind")
        if references is not None:
            tables["per_reference"] = by_group(predicted, labels, references, curve, "reference")
            metrics["srocc_by_reference"], said = _mean_srocc(tables["per_reference"])
            notes += said
        if self.repeats:
            units = references or [""] * len(images)
            parts = subsets(units, self.repeats, self.share, self.seed)
            tables["subsets"], over_subsets = repeated(predicted, labels, parts)
            metrics |= over_subsets
        if not label.higher_is_better:
            notes.append(
                f"scores of {self.data!r} are lower for better images; tables and pictures show them so, "
                "correlations compare both sides turned"
            )
        pictures = {"scatter": _picture(self.data, images, kinds, curve, metrics, label)} if source.pictures else {}
        return EvaluationResult(metrics, tables, pictures, notes)

    def _undefined(self, references: Sequence[str] | None) -> dict[str, float]:
        names = list(METRICS) + (["srocc_by_reference"] if references else [])
        if self.repeats:
            names += [f"{name}_{of}" for name in METRICS for of in SUMMARIES]
        return dict.fromkeys(names, _NAN)


def _remarks(images: Labeled, curve: Curve, metrics: Mapping[str, float]) -> list[str]:
    """Sentences on what the figures do not say by themselves."""
    said = []
    if len(images) < FEWEST:
        said.append(f"only {len(images)} images of {images.data!r} have a score; correlations need {FEWEST}")
    elif images.labels.min() == images.labels.max():
        said.append(f"all scores of {images.data!r} are equal, so there are no correlations")
    elif curve.straight and images.predicted.min() < images.predicted.max():
        said.append(
            f"fitted by a straight line: five parameters need at least {FEWEST_TO_FIT} different predictions for "
            f"{images.data!r}"
        )
    if curve.turns(images.predicted):
        said.append(
            f"the curve fitted for {images.data!r} both rises and falls, so plcc_fitted ({metrics['plcc_fitted']:.2f}, "
            f"plain {metrics['plcc']:.2f}) and rmse_fitted flatter the predictions"
        )
    if metrics["srocc"] < 0:
        said.append(
            f"predictions for {images.data!r} fall where scores rise (SROCC {metrics['srocc']:.2f}); plcc_fitted and "
            "rmse_fitted do not show that"
        )
    return said


def _mean_srocc(lines: Sequence[Mapping[str, Any]]) -> tuple[float, list[str]]:
    known = [line["srocc"] for line in lines if not np.isnan(line["srocc"])]
    left_out = len(lines) - len(known)
    said = [
        f"srocc_by_reference is the mean over {len(known)} of {len(lines)} references; it is undefined for the rest"
    ]
    return (float(np.mean(known)) if known else _NAN), said if left_out else []


def _picture(
    data: str,
    images: Labeled,
    kinds: Sequence[str] | None,
    curve: Curve,
    metrics: Mapping[str, float],
    label: LabelSpec,
) -> npt.NDArray[np.uint8]:
    way = "higher" if label.higher_is_better else "lower"
    line = np.linspace(images.predicted.min(), images.predicted.max(), 400)
    drawn = (label.turned(line), label.turned(curve(line))) if line[0] < line[-1] else None
    title = (
        f"{data}: {len(images)} images, SROCC {metrics['srocc']:.3f}, PLCC {metrics['plcc']:.3f} "
        f"(fitted {metrics['plcc_fitted']:.3f}), RMSE {metrics['rmse']:.3g} (fitted {metrics['rmse_fitted']:.3g})"
    )
    axis = f"{label.unit or 'score'} ({way} is better)"
    return scatter(title, axis, label.turned(images.predicted), label.turned(images.labels), kinds, drawn)
