"""Images with a true count, a predicted one and perhaps a map, as evaluators of counting compare them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationSource
from rankhub_ranking.labeled import labeled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AGREE = 1e-3
"""Share of the count by which a count and the sum of its map may differ, by the rounding of float32 and of tiles."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The annotated images of a data set.

    Attributes:
        data: Name of the data set.
        rows: [n] positions in the data set.
        predicted: [n].
        counts: [n] true ones.
        paths: [n] path of each image below the data set's folder, or its position.
        folds: [n] the fold of each image, -1 for one in none; None where the data set has no folds.
        maps: n of [h, w] points a cell, spread evenly over the image; None where the head has no map.
        points: n of [k, 2 or more] x and y in pixels; None where the data set cannot tell.
        notes: Sentences on what was left out.
    """

    data: str
    rows: Ints
    predicted: Floats
    counts: Floats
    paths: Sequence[str]
    folds: Ints | None = None
    maps: Sequence[Floats] | None = None
    points: Sequence[Floats] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def finite(self) -> bool:
        """Whether all predicted counts and maps are."""
        maps = self.maps or ()
        return bool(np.isfinite(self.predicted).all()) and all(bool(np.isfinite(one).all()) for one in maps)

    def sizes(self, source: EvaluationSource) -> list[tuple[int, int]]:
        """[n] height and width of each image, from the data set's list, or by decoding where it has none."""
        dataset = source.dataset(self.data)
        known = dataset.sizes()
        if known is not None:
            return [(int(height), int(width)) for height, width in known[self.rows]]
        shapes = [dataset[row].image.shape for row in self.rows.tolist()]
        return [(int(height), int(width)) for _, height, width in shapes]


def counted(source: EvaluationSource, data: str, output: str) -> Counted:
    """Predictions and labels of the images of ``data`` that are annotated.

    Args:
        source: Of the predictions.
        data: A data set of points.
        output: The count, ``HEAD.OUTPUT``; the map is taken to be ``HEAD.map``.

    Raises:
        UserError: No image is annotated, or the output is not one number an image.
    """
    annotated = labeled(source, data, output)
    rows = annotated.rows
    if not len(rows):
        raise UserError(f"no image of data set {data!r} is annotated, so there is nothing to compare counts with")
    notes = []
    if len(rows) < annotated.images:
        left_out = annotated.images - len(rows)
        notes.append(f"{left_out} of {annotated.images} images of {data!r} are not annotated and left out")
    dataset = source.dataset(data)
    paths, folds, points = dataset.facts("path"), dataset.folds(), dataset.points()
    maps = _maps(source, data, f"{output.partition('.')[0]}.map")
    found = Counted(
        data,
        rows,
        annotated.predicted,
        annotated.labels,
        [str(row) if paths is None else paths[row] for row in rows.tolist()],
        None if folds is None else _fold_of(folds, annotated.images)[rows],
        None if maps is None else [_plane(maps[row]) for row in rows.tolist()],
        None if points is None else [np.asarray(points[row], dtype=np.float64) for row in rows.tolist()],
    )
    return replace(found, notes=(*notes, *_remarks(found, output)))


def _maps(source: EvaluationSource, data: str, output: str) -> Tensor | Sequence[Tensor] | None:
    """The maps; None where the head has none. The count was there, so nothing else can be missing."""
    try:
        return source.outputs(data, output).values
    except UserError:
        return None


def _plane(density: Tensor) -> Floats:
    return np.asarray(density.reshape(density.shape[-2:]).double().cpu().numpy())


def _fold_of(folds: Sequence[Ints], images: int) -> Ints:
    """[images] the fold of each image, -1 for one in none."""
    fold = np.full(images, -1, dtype=np.int64)
    for number, rows in enumerate(folds):
        fold[rows] = number
    return fold


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
        f"({images.predicted[first]:.5g} and {sums[first]:.5g} in {images.paths[first]}), so GAME judges another "
        "prediction than MAE"
    ]
