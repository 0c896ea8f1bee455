"""Alignment of views and uniformity of images on the unit sphere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch

from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, Gt, Le, OutputName, StreamName
from rankhub_probes.features import Views, seen_views, undefined
from rankhub_ranking.embeddings import unit_rows

_BLOCK_VALUES = 1 << 22
"""Distances held at a time."""


class AlignmentUniformity(Evaluator):
    """Alignment and uniformity (Wang and Isola, ICML 2020), of features divided by their length.

    alignment = mean of |f(x) - f(y)|^2 over pairs of views of one image, in [0, 4];
    uniformity = ln of the mean of exp(-t |f(x) - f(y)|^2) over pairs of views of different images, in [-4 t, 0].

    Both are better low, and neither says anything alone: features that are all equal have the best alignment,
    0, and the worst uniformity, 0. Compare rows only for the same views, ``t`` and width.

    A feature vector of length 0 stays 0.

    Args:
        stream: Whose generator makes the views.
        data: Whose images.
        output: ``backbone`` or ``HEAD.OUTPUT``; the authors measure the output that the loss sees.
        limit: Images at most. All pairs are formed: twice the images take four times as long.
        t: Sharpness of the uniformity's kernel.
    """

    needs_labels = False
    judges_training = False
    lower_is_better = frozenset({"alignment", "uniformity"})

    def __init__(
        self,
        *,
        stream: StreamName,
        data: DataName,
        output: OutputName = "backbone",
        limit: Annotated[int, Ge(2)] = 1_000,
        t: Annotated[float, Gt(0), Le(100)] = 2.0,
    ) -> None:
        self.stream = stream
        self.data = data
        self.output = output
        self.limit = limit
        self.t = t

    def headline(self) -> Sequence[str]:
        """Uniformity first: it is the one that a collapse does not win."""
        return ["uniformity", "alignment"]

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Both figures for one row of the report."""
        owner = "alignment_uniformity"
        values, index = seen_views(source, self.stream, self.data, self.output, self.limit, owner)
        result = undefined(values, self.headline(), owner, source.row)
        if result is not None:
            return result
        notes = []
        empty = int((values == 0).all(dim=1).sum())
        if empty:
            notes.append(f"{owner}, {source.row}: {empty:,} of {len(values):,} views have features of length 0")
        views = Views.of(unit_rows(values.double()), index)
        metrics = {"uniformity": uniformity(views, self.t, source.device), "alignment": alignment(views)}
        return EvaluationResult(metrics, notes=notes)


def alignment(views: Views) -> float:
    """Mean squared distance over all pairs of views of one image.

    The squared distances of q vectors to each other sum, over ordered pairs, to 2 q times those to their mean.
    """
    spread = views.residuals().square().sum(dim=1)
    pairs = (views.counts * (views.counts - 1)).sum()
    return float((2 * views.counts[views.image] * spread).sum() / pairs)


def uniformity(views: Views, t: float, device: torch.device) -> float:
    """Ln of the mean of exp(-t |x - y|^2) over all pairs of views of different images."""
    values, image = views.values.to(device), views.image.to(device)
    squares = values.square().sum(dim=1)
    total, block = 0.0, max(1, _BLOCK_VALUES // len(values))
    for start in range(0, len(values), block):
        rows = slice(start, start + block)
        distances = (squares[rows, None] + squares - 2 * values[rows] @ values.T).clamp(min=0)
        total += float((-t * distances).exp().masked_fill(image[rows, None] == image, 0).sum())
    pairs = len(values) ** 2 - int(views.counts.square().sum())
    return math.log(total / pairs)
