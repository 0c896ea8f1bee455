"""Barlow Twins: redundancy reduction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.partners import aligned, off_diagonal
from rankhub_ranking.embeddings import full_precision


class BarlowTwins(Loss):
    """Makes the cross-correlation of two views' embeddings the identity.

    With z^A and z^B the embeddings of views A and B of n images, each column brought to mean 0 and variance 1 over
    the images:

        C_ij = 1/n Σ_b z^A_bi z^B_bj        L = Σ_i (1 - C_ii)² + lambda Σ_i Σ_{j != i} C_ij²

    The two views of an image are paired by their number; images that lack one are left out, and fewer than two
    images give 0. The sum handed to the engine is n L, divided by n images it is L. The embedding is not normalized
    by row, and wants to be wide: 1,024 columns for small images (8,192 for ImageNet), three layers with BatchNorm.

    For the log: "on_diagonal" Σ (1 - C_ii)², "off_diagonal" Σ C_ij², both without weight.

    Source: Zbontar, Jing, Misra, LeCun, Deny: Barlow Twins, ICML 2021 (arXiv 2103.03230), equations 1 and 2.

    Args:
        off_diagonal_weight: lambda. 1/128 is the value of the published runs on small images (yaohungt/
            Barlow-Twins-HSIC, wgcban/mix-bt); the paper takes .0051 for ImageNet.
    """

    scope: Scope = "batch"

    def __init__(
        self, outputs: Mapping[str, OutputSpec], /, *, off_diagonal_weight: Annotated[float, Ge(0)] = 1 / 128
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "embedding", "barlow_twins")
        self.off_diagonal_weight = off_diagonal_weight

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the stream does not make exactly two views of an image."""
        if views.views != 2:
            yield (
                f"barlow_twins correlates exactly two views of each image, but the stream makes {views.views}; "
                "set `views: 2` on the stream's generator (vicreg takes more)"
            )

    def count(self, target: RankTarget) -> Tensor:
        """Number of images that have both views."""
        return target.index.new_tensor(len(aligned(target)))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum n L over the n images that have both views.

        Raises:
            UserError: The batch has more than two numbers of view.
        """
        embeddings = full_precision(outputs[self.output])
        table = aligned(target)
        if len(table) and table.shape[1] != 2:
            raise UserError(
                f"barlow_twins correlates exactly two views of each image, but this batch has {table.shape[1]}; "
                "set `views: 2` on the stream's generator (vicreg takes more)"
            )
        if len(table) < 2:
            return LossResult(embeddings[:0].sum())
        with torch.autocast(embeddings.device.type, enabled=False):
            first, second = (F.batch_norm(embeddings[rows], None, None, training=True) for rows in table.T)
            correlation = first.T @ second / len(table)
            on = (1 - correlation.diagonal()).square().sum()
            off = off_diagonal(correlation)
        parts = {"on_diagonal": on.detach(), "off_diagonal": off.detach()} if context.log else {}
        return LossResult(len(table) * (on + self.off_diagonal_weight * off), parts)
