"""Outputs as matrices of features, what may be wrong with them, and the smooth rank of their spectrum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, OutputTable

ROUNDING = 1e-12
"""Share of the features' squared norm below which their differences are the rounding of float32, (1e-6)^2."""


def matrix(table: OutputTable, output: str, evaluator: str) -> Tensor:
    """[n, D] the values of an output, one row an image or view; a score is one column.

    Raises:
        UserError: The output is a map.
    """
    values = table.values
    if not isinstance(values, Tensor) or values.ndim > 2:
        shape = ", ".join(map(str, values[0].shape))
        raise UserError(
            f"{evaluator} takes one vector an image, and output {output!r} gives [{shape}] for each; "
            "name the output of a projection, or `backbone`"
        )
    return values[:, None] if values.ndim == 1 else values


def some(values: Tensor, limit: int) -> Tensor:
    """At most ``limit`` rows, drawn once for all rows of a report: data sets are often sorted by class."""
    if len(values) <= limit:
        return values
    order = Draws(0, "evaluate/some", 0).shuffled(len(values))
    return values[torch.from_numpy(order[:limit]).sort().values]


def undefined(values: Tensor, metrics: Sequence[str], evaluator: str, row: str) -> EvaluationResult | None:
    """The result where features are not finite: ``nan`` and a sentence. None where all is well."""
    bad = int((~torch.isfinite(values)).any(dim=1).sum())
    if not bad:
        return None
    note = f"{evaluator}, {row}: {bad:,} of {len(values):,} rows of features are not finite, so there is no result"
    return EvaluationResult(dict.fromkeys(metrics, float("nan")), notes=[note])


def collapsed(values: Tensor) -> bool:
    """Whether all rows are the same but for the rounding of float32."""
    mean = values.mean(dim=0, dtype=torch.float64)
    differences = total = 0.0
    for block in torch.split(values, 1024):  # float64 copies of the whole would be large
        differences += float((block.double() - mean).square().sum())
        total += float(block.double().square().sum())
    return differences <= ROUNDING * total


@dataclass(frozen=True, slots=True)
class Views:
    """Several views of each of n images, with the means of each image.

    Attributes:
        values: [N, D] float64.
        image: [N] int64, which of the n images, from 0.
        counts: [n] int64, views of each image, at least 2.
        means: [n, D] float64.
    """

    values: Tensor
    image: Tensor
    counts: Tensor
    means: Tensor

    @classmethod
    def of(cls, values: Tensor, index: Tensor) -> Views:
        """Views [N, D] by ``index`` [N], the samples that they come from."""
        values = values.double()
        _, image, counts = torch.unique(index, return_inverse=True, return_counts=True)
        sums = values.new_zeros((len(counts), values.shape[1])).index_add_(0, image, values)
        return cls(values, image, counts, sums / counts[:, None])

    def residuals(self) -> Tensor:
        """[N, D] each view less the mean of its image."""
        return self.values - self.means[self.image]


def seen_views(
    source: EvaluationSource, stream: str, data: str, output: str, limit: int, evaluator: str
) -> tuple[Tensor, Tensor]:
    """[N, D] features of views and [N] the sample of each, as :meth:`Views.of` takes them.

    Raises:
        UserError: The stream makes one view of an image, or the data have one image.
    """
    table = source.views(stream, data, output, limit)
    values = matrix(table, output, evaluator)
    if table.target is None:
        raise TypeError("EvaluationSource.views must give a target")
    index = table.target.index
    samples, counts = torch.unique(index, return_counts=True)
    if int(counts.min()) < 2:
        raise UserError(
            f"{evaluator} compares several views of an image, and the generator of stream {stream!r} makes one; "
            "name a stream that makes more, or leave the evaluator out"
        )
    if len(samples) < 2:
        raise UserError(f"{evaluator} needs at least two images, data set {data!r} has one")
    return values, index


_BLOCK = 4
"""Rows of a block over columns of the matrix: large enough that the triangle adds little work."""


def singular_values(values: Tensor, device: torch.device, *, centre: bool = False) -> Tensor:
    """[min(n, D)] float64 on the CPU, the largest first.

    The rows pass through a QR decomposition block by block, so that no float64 copy of the whole matrix is
    made and, unlike with the Gram matrix, small singular values are exact too.

    ``centre`` takes the mean row off first.
    """
    width = values.shape[1]
    shift = values.mean(dim=0, dtype=torch.float64).to(device) if centre else 0.0
    triangle = torch.empty((0, width), dtype=torch.float64, device=device)
    for block in torch.split(values, max(_BLOCK * width, 1024)):
        rows = torch.cat([triangle, block.to(device, torch.float64) - shift])
        triangle = torch.linalg.qr(rows, mode="r").R
    found: Tensor = torch.linalg.svdvals(triangle)
    return found.cpu()


def smooth_rank(weights: Tensor, eps: float) -> float:
    """exp(-sum_k p_k ln p_k) with p_k = w_k / sum_j w_j + eps; 0 where all weights are 0.

    The exponential of the entropy of the normalized spectrum (Roy and Vetterli, EUSIPCO 2007): r equal weights
    give r.
    """
    total = float(weights.sum())
    if total == 0:
        return 0.0
    return math.exp(float(torch.special.entr(weights / total + eps).sum()))
