"""Images with a true count, a predicted one and perhaps a map, as evaluators of counting compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationSource
from rankhub_ranking.labeled import Floats, Labeled, labeled

Ints = npt.NDArray[np.int64]

AGREE = 1e-3
"""Share of the count by which a count and the sum of its map may differ, by the rounding of float32 and of tiles."""

SPREAD = 1e-2
"""Share of the true counts' range below which the predicted ones are said to be all the same."""


@dataclass(frozen=True, slots=True)
class Counted(Labeled):
    """The annotated images of a data set; labels are true counts.

    Attributes:
        names: [n] path of each image below the data set's folder, or its position.
        folds: [n] the fold of each image, -1 for one in none; None where the data set has no folds.
        maps: n of [h, w] points a cell, spread evenly over the image; None where the head has no map.
        points: n of [k, 2 or more] x and y in pixels; None where the data set cannot tell.
    """

    names: Sequence[str] = ()
    folds: Ints | None = None
    maps: Sequence[Floats] | None = None
    points: Sequence[Floats] | None = None

    @property
    def finite(self) -> bool:
        """Whether all predicted counts and maps are."""
        return all(bool(np.isfinite(one).all()) for one in (self.predicted, *(self.maps or ())))

    def sizes(self, source: EvaluationSource) -> list[tuple[int, int]]:
        """[n] height and width of each image, from the data set's list, or by decoding where it has none."""
        dataset = source.dataset(self.data)
        known = dataset.sizes()
        if known is not None:
            return [(int(height), int(width)) for height, width in known[self.rows]]
        shapes = [dataset[row].image.shape for row in self.rows.tolist()]
        return [(int(height), int(width)) for _, height, width in shapes]


def counted(source: EvaluationSource, data: str, output: str) -> Counted:
    """Predictions and labels of the images of ``data`` that are annotated, with the map ``HEAD.map`` beside the count.

    Raises UserError where no image is annotated, or the output is not one number an image.
    """
    known = labeled(source, data, output, ("is annotated", "are not annotated and"))
    dataset, rows = source.dataset(data), known.rows.tolist()
    folds, points = dataset.folds(), dataset.points()
    maps = _maps(source, data, f"{output.partition('.')[0]}.map")
    found = Counted(
        data,
        known.rows,
        known.predicted,
        known.labels,
        known.notes,
        known.paths(source),
        None if folds is None else _fold_of(folds, rows),
        None if maps is None else [_plane(maps[row]) for row in rows],
        None if points is None else [np.asarray(points[row], dtype=np.float64) for row in rows],
    )
    remarks = _remarks(found, output)
    if source.row != "before training" and found.finite:  # an untrained head does answer the same everywhere
        remarks += _constant(found)
    return replace(found, notes=(*known.notes, *remarks))


def _maps(source: EvaluationSource, data: str, output: str) -> Tensor | Sequence[Tensor] | None:
    """The maps; None where the head has none. The count was there, so nothing else can be missing."""
    try:
        return source.outputs(data, output).values
    except UserError:
        return None


def _plane(density: Tensor) -> Floats:
    return np.asarray(density.reshape(density.shape[-2:]).double().cpu().numpy())


def _fold_of(folds: Sequence[Ints], rows: Sequence[int]) -> Ints:
    """[n] the fold of each row, -1 for one in none."""
    of = {row: number for number, fold in enumerate(folds) for row in fold.tolist()}
    return np.array([of.get(row, -1) for row in rows], dtype=np.int64)


def _remarks(images: Counted, output: str) -> list[str]:
    if not images.finite:
        bad = int((~np.isfinite(images.predicted)).sum())
        what = f"{bad} of {len(images)} predicted counts" if bad else "cells of predicted maps"
        return [f"{what} for {images.data!r} are not finite, so there is no result"]
    if images.maps is None:
        return []
    sums = np.array([density.sum() for density in images.maps])
    apart = np.abs(sums - images.predicted) > AGREE * np.maximum(1, np.abs(images.predicted))
    if not apart.any():
        return []
    first = int(np.flatnonzero(apart)[0])
    return [
        f"{output} is not the sum of its map in {int(apart.sum())} of {len(images)} images of {images.data!r} "
        f"({images.predicted[first]:.5g} and {sums[first]:.5g} in {images.names[first]}), so GAME judges another "
        "prediction than MAE"
    ]


def _constant(images: Counted) -> list[str]:
    """Of a network that answers the same whatever it sees: a softplus may end at 0, from where labels lead nowhere."""
    if np.ptp(images.predicted) > SPREAD * np.ptp(images.labels) or not np.ptp(images.labels):
        return []
    said = " to ".join(dict.fromkeys(f"{value:.4g}" for value in (images.predicted.min(), images.predicted.max())))
    return [
        f"the predicted counts of all {len(images)} images of {images.data!r} are {said}, the true ones "
        f"{images.labels.min():g} to {images.labels.max():g}: the network says the same whatever it sees; train "
        "it anew with a lower learning rate, or the density head with activation=linear"
    ]
