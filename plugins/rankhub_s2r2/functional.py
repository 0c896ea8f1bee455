"""The losses of average precision on plain tensors, for any training loop.

Each takes embeddings [N, d], of any length, and groups [N], integers: rows of one group are each other's positives, all
others negatives. Each returns a scalar with a graph, the mean over the rows that share their group with another row (0
without such rows), computed in float32, or in float64 if the embeddings are. They are the losses of recipes, with the
same options, defaults and sources; their classes document them (``rankhub describe loss smooth_ap``).

All raise ValueError where shapes or types are others.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.loss import Loss
from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.standalone import LabelLoss, mean_loss, order_of, output_of
from rankhub_s2r2.blackbox_ap import BlackboxAP
from rankhub_s2r2.graded_ap import GradedAP
from rankhub_s2r2.histogram_ap import FastAP, HistogramAP
from rankhub_s2r2.pnp import PNP, Variant
from rankhub_s2r2.positives import queries_by_size
from rankhub_s2r2.precision import exact_precision
from rankhub_s2r2.ramp_ap import RampAP
from rankhub_s2r2.smooth_ap import SmoothAP
from rankhub_s2r2.sup_ap import SupAP


def smooth_ap(embeddings: Tensor, groups: Tensor, tau: float = 0.05, *, include_self: bool = False) -> Tensor:
    """1 - Smooth-AP: average precision with a sigmoid of temperature ``tau`` for the step."""
    return _mean(SmoothAP, embeddings, groups, tau=tau, include_self=include_self)


def ramp_ap(embeddings: Tensor, groups: Tensor, width: float = 0.1, *, include_self: bool = False) -> Tensor:
    """1 - AP with a piecewise-linear step of ``width``, by sorting: the fastest in large groups."""
    return _mean(RampAP, embeddings, groups, width=width, include_self=include_self)


def sup_ap(embeddings: Tensor, groups: Tensor, **options: Any) -> Tensor:
    """ROADMAP's upper bound of 1 - AP, with calibration; options as of :class:`~rankhub_s2r2.sup_ap.SupAP`."""
    return _mean(SupAP, embeddings, groups, **options)


def pnp(embeddings: Tensor, groups: Tensor, variant: Variant = "Dq", tau: float = 0.01, **options: Any) -> Tensor:
    """PNP: the negatives before each positive; options as of :class:`~rankhub_s2r2.pnp.PNP`."""
    return _mean(PNP, embeddings, groups, variant=variant, tau=tau, **options)


def fast_ap(embeddings: Tensor, groups: Tensor, bins: int = 10) -> Tensor:
    """1 - AP from a histogram of squared distances with so many ``bins``."""
    return _mean(FastAP, embeddings, groups, bins=bins)


def histogram_ap(embeddings: Tensor, groups: Tensor, bins: int = 20, **options: Any) -> Tensor:
    """1 - AP from a histogram of cosines; options as of :class:`~rankhub_s2r2.histogram_ap.HistogramAP`."""
    return _mean(HistogramAP, embeddings, groups, bins=bins, **options)


def blackbox_ap(embeddings: Tensor, groups: Tensor, interpolation: float = 4.0, margin: float = 0.02) -> Tensor:
    """1 - the true AP, with RaMBO's gradient from interpolated ranks."""
    return _mean(BlackboxAP, embeddings, groups, interpolation=interpolation, margin=margin)


def graded_ap(
    embeddings: Tensor, groups: Tensor, levels: Tensor, tau: float = 0.05, *, include_self: bool = False
) -> Tensor:
    """1 - AP with ``levels`` [N] in [0, 1] as the relevance of each row to the queries of its group."""
    loss = GradedAP(output_of(embeddings), tau=tau, include_self=include_self)
    try:
        return mean_loss(loss, embeddings, order_of(embeddings, groups, levels))
    except UserError as error:
        raise ValueError(str(error)) from error


@torch.no_grad()
def mean_average_precision(embeddings: Tensor, groups: Tensor, *, include_self: bool = False) -> tuple[Tensor, Tensor]:
    """Two scalars: the exact mean average precision over the same queries, and the precision at 1.

    Cosines are compared on a grid of 2^-20 (:mod:`rankhub_ranking.similarity`). Equals count half in the first; in the
    second a query counts 1 if no negative is as near as its nearest positive. Both are the same bit for bit whatever
    the order of rows, and 0 without queries.
    """
    output_of(embeddings)
    if not bool(embeddings.isfinite().all()):
        raise ValueError("an embedding is not finite, so its place in a ranking is not defined")
    group = order_of(embeddings, groups).group
    return exact_precision(unit_rows(embeddings), list(queries_by_size(group, include_self)))


def _mean(method: type[Loss], embeddings: Tensor, groups: Tensor, **options: Any) -> Tensor:
    return mean_loss(method(output_of(embeddings), **options), embeddings, order_of(embeddings, groups))


class SmoothAPLoss(LabelLoss):
    """:func:`smooth_ap` as a module, ``loss(embeddings, labels)``."""

    method = SmoothAP


class RampAPLoss(LabelLoss):
    """:func:`ramp_ap` as a module."""

    method = RampAP


class SupAPLoss(LabelLoss):
    """:func:`sup_ap` as a module."""

    method = SupAP


class PNPLoss(LabelLoss):
    """:func:`pnp` as a module."""

    method = PNP


class FastAPLoss(LabelLoss):
    """:func:`fast_ap` as a module."""

    method = FastAP


class HistogramAPLoss(LabelLoss):
    """:func:`histogram_ap` as a module."""

    method = HistogramAP


class BlackboxAPLoss(LabelLoss):
    """:func:`blackbox_ap` as a module."""

    method = BlackboxAP
