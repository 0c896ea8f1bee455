"""The likelihood of the number of points in each cell, under a Poisson distribution with zeros of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.tensors import sent
from rankhub_counting.point_loss import PointLoss
from rankhub_points import Points

MAPS = ("map", "suppressed")
"""The outputs that the loss takes: (1 - π) λ and π λ."""

SMALLEST = 1e-30
"""Points a cell below which a rate is no smaller, so that its logarithm and that one's gradient are finite."""


class ZipNLL(PointLoss):
    """Mean negative log-likelihood, in nats a cell, of the number of points in each cell of each labeled view.

        L = 1/M Σ_views 1/(h w) Σ_cells -log P(y),    P(0) = π + (1 - π) e^(-λ)
                                                      P(y) = (1 - π) λ^y e^(-λ) / y!   for y > 0

    A cell is empty with the probability π for what it is (sky, a wall, the space between heads); else its number of
    points has a Poisson distribution of rate λ. So the many empty cells need no fine tuning of λ, and a cell of 30
    people that is answered with 25 costs less than an empty one of 5, other than by a squared error. ``y`` are the
    points inside the view that lie in the cell, whole numbers without a kernel: there is nothing to choose. Even the
    right answer costs something, since a Poisson number is a matter of chance.

    Takes the head ``density`` with ``activation: zero_inflated``, whose outputs ``map`` = (1 - π) λ, the expected
    number of points, and ``suppressed`` = π λ give both to full relative precision: λ is their sum, π the share of the
    latter. Everything is computed in logarithms.

    For the log: "count_error", the mean absolute error of a view's number of points.

    Source: Ma, Sanchez, Guha, *ZIP: Scalable Crowd Counting via Zero-Inflated Poisson Modeling*, arXiv 2506.19955 (in
    its first version EBC-ZIP). Theirs is the sum over the cells where this is the mean, so that crops of any size weigh
    the same; λ there is an expectation over bins of counts, here a softplus; the error of the count that they add is
    ``{use: l1, head: density, output: count}`` beside it. Distribution: Lambert, Technometrics 34 (1992).
    """

    name: ClassVar[str] = "zip_nll"

    def __init__(self, outputs: Mapping[str, OutputSpec], /) -> None:
        lacks = [name for name in MAPS if name not in outputs or outputs[name].kind != "map"]
        if lacks:
            have = ", ".join(outputs) or "none"
            raise Objection(
                f"zip_nll needs the maps {' and '.join(MAPS)}, the head gives: {have}; take the head density with "
                "activation: zero_inflated, and name no `output:`"
            )
        super().__init__(outputs, MAPS[0])

    def terms(self, outputs: Mapping[str, Tensor], points: Points) -> Tensor:
        """[N] nats a cell."""
        kept, suppressed = (outputs[name] for name in MAPS)
        numbers = points.numbers_in_cells(kept.shape[-2], kept.shape[-1])[:, None]
        return zip_nll(kept, suppressed, sent(numbers, kept.device).to(kept)).mean(dim=(1, 2, 3))


def zip_nll(kept: Tensor, suppressed: Tensor, numbers: Tensor) -> Tensor:
    """-log P(numbers) under a zero-inflated Poisson distribution, of any shape.

    ``kept`` = (1 - π) λ and ``suppressed`` = π λ, at least 0; ``numbers`` whole ones.
    """
    kept, suppressed = kept.clamp(min=SMALLEST), suppressed.clamp(min=SMALLEST)
    rate, log_kept, log_suppressed = kept + suppressed, kept.log(), suppressed.log()
    log_rate = torch.logaddexp(log_kept, log_suppressed)
    some = log_kept + (numbers - 1) * log_rate - rate - torch.lgamma(numbers + 1)
    none = torch.logaddexp(log_suppressed, log_kept - rate) - log_rate
    return -torch.where(numbers > 0, some, none)
