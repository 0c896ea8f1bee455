"""Ranking of numbers on plain tensors, for any training loop."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rankhub_ranking.margin_ranking import MarginRanking, Shape
from rankhub_ranking.standalone import mean_loss, order_of, output_of


def margin_ranking(
    scores: Tensor,
    levels: Tensor,
    groups: Tensor | None = None,
    margin: float = 0.5,
    *,
    shape: Shape = "hinge",
    reduction: Literal["pairs", "images", "groups"] = "pairs",
) -> Tensor:
    """Every row that ranks above another of its group should score higher by a margin; the mean over these pairs.

    The loss ``margin_ranking`` of recipes (:class:`~rankhub_ranking.margin_ranking.MarginRanking` has the formula and
    its source). All pairs are taken on one pass of each row, in bounded memory.

    Args:
        scores: [N] floating point; computed in float32, or in float64 if they are.
        levels: [N], or [N, K]: a row ranks above another if no column is lower and one is higher.
        groups: [N] integers; rows of different groups are not compared. None = one group.
        margin: In the unit of the scores.
        shape: ``hinge``, or the smooth ``logistic``.
        reduction: By what the sum is divided, as the loss says.

    Returns:
        Scalar with a graph; 0 where no row ranks above another.

    Raises:
        ValueError: Shapes or types are others.
    """
    loss = MarginRanking(output_of(scores, "score"), margin=margin, shape=shape, reduction=reduction)
    if groups is None:
        groups = torch.zeros(len(scores), dtype=torch.int64, device=scores.device)
    return mean_loss(loss, scores, order_of(scores, groups, levels), "score")
