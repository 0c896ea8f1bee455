"""Errors of predicted counts on whole images, as the literature on counting reports them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, Le, OutputName
from rankhub_counting.evaluation.counted import Counted, counted
from rankhub_counting.evaluation.game import game
from rankhub_counting.evaluation.metrics import METRICS, Baseline, baseline, by_fold, measure
from rankhub_counting.evaluation.metrics import NAMES as BASELINES
from rankhub_counting.evaluation.scatter import scatter
from rankhub_counting.overlay import overlay
from rankhub_ranking.labeled import Floats, lines_of

_NAN = float("nan")


class Counting(Evaluator):
    """Compare one predicted count an image, and where there is one its density map, with the points of a data set.

    - ``mae``, ``rmse``: mean of the absolute errors, and root of the mean of the squared ones. **The literature on
      counting prints the latter as "MSE".**
    - ``relative_error``: mean of the absolute error over the true count, of the images with at least one point. Where
      some have none, ``mae_of_empty`` is the MAE of those, that is what is seen where there is nothing.
    - ``bias``: mean of predicted less true counts; 0 is best.
    - ``game1`` and so on: grid average mean absolute error (Guerrero-Gómez-Olmedo et al., IbPRIA 2015), the absolute
      errors in 4^L equal regions summed, mean over the images. A cell of the map that lies across a border is shared by
      area. GAME(0) is the MAE; the further GAME(L) is above it, the more errors of place make up for each other. Left
      out, with a note, for a head without a map.
    - ``mae_of_training_mean``, ``rmse_of_training_mean``: of always answering the mean count of ``train``. Without
      ``train``, ``_of_other_folds_mean`` where the data set has folds, else ``_of_own_mean``, of the very images.
    - ``_fold_mean`` and ``_fold_std`` of the metrics, where the data set serves several folds: each fold is measured by
      itself, then averaged. It is one network that is judged on all of them, as in a transfer from another data set;
      five-fold cross-validation takes five runs, each judged on the fold it did not see.

    Images that are not annotated are left out with a note. A metric that is undefined is NaN.

    Tables: ``images``, one line each; ``per_fold``. Pictures: ``scatter``, true against predicted counts; and
    ``overlay_*``, the density on the image, of images spread evenly over the order of absolute errors: of three the
    ``worst``, the ``median`` and the ``best``, of more also quantiles (``q75``: three quarters have a smaller error).

    Args:
        data: Data set of points.
        output: The predicted count: ``HEAD.OUTPUT``. The map is ``HEAD.map``, if the head has one.
        train: Data set whose mean count is the baseline: that of the training images.
        game: Levels L at which GAME is measured; none = not at all.
        pictures: Images whose density is drawn.
    """

    needs_heads = True

    def __init__(
        self,
        *,
        data: DataName,
        output: OutputName = "density.count",
        train: DataName | None = None,
        game: Sequence[Annotated[int, Ge(0), Le(6)]] = (1, 2, 3),
        pictures: Annotated[int, Ge(0), Le(50)] = 3,
    ) -> None:
        self.data, self.output, self.train = data, output, train
        self.game, self.pictures = tuple(sorted(set(game))), pictures
        errors = ["mae", "rmse", "relative_error", *(f"game{level}" for level in self.game)]
        told = [f"{name}_of_{whose}" for name in ("mae", "rmse") for whose in BASELINES]
        folds = [f"{name}_fold_mean" for name in errors]
        self.lower_is_better = frozenset([*errors, *told, *folds, "mae_of_empty"])

    def check(self, data: Mapping[str, LabelSpec]) -> Iterable[str]:
        """A sentence if a data set has no points."""
        for name in dict.fromkeys((self.data, self.train)):
            if name is not None and name in data and data[name].kind != "points":
                kind = data[name].kind
                have = f"labels of kind {kind}" if kind else "no labels"
                yield f"counting compares predictions with numbers of points, but data set {name!r} has {have}"

    def headline(self) -> Sequence[str]:
        """MAE, RMSE, the same averaged over folds, the relative error, GAME, and the MAE of the baseline."""
        folds = ("mae_fold_mean", "rmse_fold_mean")
        told = BASELINES[:1] if self.train else BASELINES[1:]
        levels = [f"game{level}" for level in self.game]
        return ("mae", "rmse", *folds, "relative_error", *levels, *(f"mae_of_{whose}" for whose in told))

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Compare, by image and by fold.

        Raises:
            UserError: No image is annotated, or the output is more than one number an image.
        """
        images = counted(source, self.data, self.output)
        rival = baseline(source, images, self.train)
        notes = list(images.notes)
        games, said = self._games(source, images)
        notes += said
        tables: dict[str, Sequence[Mapping[str, Any]]] = {"images": _per_image(images, games)}
        if not images.finite:
            names = [*METRICS, *games]
            if images.folds is not None:
                names += [f"{name}_fold_{of}" for name in names for of in ("mean", "std")]
            names += [f"{name}_of_{rival.name}" for name in ("mae", "rmse")]
            return EvaluationResult(dict.fromkeys(names, _NAN), tables, notes=notes)
        predicted, counts = images.predicted, images.labels
        metrics = measure(predicted, counts) | {name: float(values.mean()) for name, values in games.items()}
        told = measure(rival.answers, counts)
        metrics |= {f"{name}_of_{rival.name}": told[name] for name in ("mae", "rmse")}
        notes += [rival.note, "rmse is what papers on counting call MSE"]
        empty = counts == 0
        if empty.any():
            metrics["mae_of_empty"] = float(np.abs(predicted[empty]).mean())
            notes.append(
                f"relative_error is over the {int((~empty).sum())} of {len(images)} images of {self.data!r} with at "
                "least one point; mae_of_empty is the MAE of the others"
            )
        if images.folds is not None:
            tables["per_fold"], over_folds = by_fold(predicted, counts, images.folds, games)
            metrics |= over_folds
        pictures = self._pictures(source, images, metrics, rival) if source.pictures else {}
        return EvaluationResult(metrics, tables, pictures, notes)

    def _games(self, source: EvaluationSource, images: Counted) -> tuple[dict[str, Floats], list[str]]:
        """Name -> [n] of each image, and sentences on what could not be measured."""
        if not self.game:
            return {}, []
        head = self.output.partition(".")[0]
        if images.maps is None:
            return {}, [f"head {head!r} has no output `map`, so there is no GAME"]
        if images.points is None:
            return {}, [f"data set {self.data!r} does not say where its points are, so there is no GAME"]
        if not images.finite:
            return {f"game{level}": np.full(len(images), _NAN) for level in self.game}, []
        each = list(zip(images.maps, images.points, images.sizes(source), strict=True))
        return {f"game{level}": np.array([game(*one, level) for one in each]) for level in self.game}, []

    def _pictures(
        self, source: EvaluationSource, images: Counted, metrics: Mapping[str, float], rival: Baseline
    ) -> dict[str, npt.NDArray[np.uint8]]:
        dataset = source.dataset(self.data)
        unit = dataset.label.unit
        title = f"{self.data}: {len(images)} images, MAE {metrics['mae']:.4g}, RMSE {metrics['rmse']:.4g}"
        line = float(rival.answers[0]) if rival.name != "other_folds_mean" else None
        drawn = {"scatter": scatter(title, images.predicted, images.labels, unit, line)}
        if images.maps is None:
            return drawn
        for name, row in telling(np.abs(images.predicted - images.labels), self.pictures).items():
            drawn[f"overlay_{name}"] = overlay(
                dataset[int(images.rows[row])].image,
                images.maps[row],
                float(images.predicted[row]),
                float(images.labels[row]),
                None if images.points is None else images.points[row],
                unit=unit,
                name=images.names[row],
            )
        return drawn


def telling(errors: Floats, count: int) -> dict[str, int]:
    """Rows spread evenly over the order of errors, from the worst to the best, under names that say which they are."""
    order = np.argsort(errors, kind="stable")
    count = min(count, len(order))
    quantiles = np.linspace(1, 0, count) if count > 1 else np.ones(count)
    named = {1.0: "worst", 0.5: "median", 0.0: "best"}
    return {
        named.get(float(quantile), f"q{round(100 * quantile):02d}"): int(order[round(quantile * (len(order) - 1))])
        for quantile in quantiles
    }


def _per_image(images: Counted, games: Mapping[str, Floats]) -> list[dict[str, Any]]:
    error = images.predicted - images.labels
    figures = {"count": images.labels, "predicted": images.predicted, "error": error, "absolute_error": np.abs(error)}
    columns = {name: values.tolist() for name, values in {**figures, **games}.items()}
    return lines_of({"image": images.names, "fold": None if images.folds is None else images.folds.tolist(), **columns})
