"""VICReg: variance, invariance, covariance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.partners import aligned, off_diagonal
from rankhub_ranking.embeddings import full_precision


class VICReg(Loss):
    """Equal embeddings of the views of an image, columns that vary over the images, and no covariance between columns.

    With Z_v [n, d] the embeddings of view v of n images, V views, column means subtracted in Cov:

        invariance  s = mean over pairs of views, images and columns of (difference)²
        variance    v = mean over views and columns of max(0, 1 - sqrt(Var + epsilon))
        covariance  c = 2/V Σ_v 1/d Σ_{i != j} Cov(Z_v)_ij²
        L           = 25 s + 25 v + 1 c          (the weights below)

    With two views this is the authors' code (whose variance term is half of the sum in their text). With more, s and v
    are means over all pairs and views and c keeps its size, so that the weights keep their meaning.

    Views are paired by their number; images that lack one of the batch's views are left out, and fewer than two images
    give 0. The sum handed to the engine is n L, divided by n images it is L. The embedding is not normalized by row,
    and wants to be wide: 8,192 columns for ImageNet, three layers with BatchNorm.

    For the log: "invariance", "variance", "covariance", without weight.

    Source: Bardes, Ponce, LeCun: VICReg, ICLR 2022 (arXiv 2105.04906), equations 1 to 6.

    Args:
        invariance: Weight of s.
        variance: Weight of v.
        covariance: Weight of c.
        epsilon: Under the square root, which keeps its slope finite where a column is constant.
    """

    scope: Scope = "batch"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        invariance: Annotated[float, Ge(0)] = 25.0,
        variance: Annotated[float, Ge(0)] = 25.0,
        covariance: Annotated[float, Ge(0)] = 1.0,
        epsilon: Annotated[float, Gt(0)] = 1e-4,
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "embedding", "vicreg")
        self.invariance, self.variance, self.covariance = invariance, variance, covariance
        self.epsilon = epsilon

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the stream makes a single view of an image."""
        if views.views < 2:
            yield (
                "vicreg compares at least two views of each image, but the stream makes 1; "
                "set `views: 2` or more on the stream's generator"
            )

    def count(self, target: RankTarget) -> Tensor:
        """Number of images that have every view."""
        return target.index.new_tensor(len(aligned(target)))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum n L over the n images that have every view."""
        embeddings = full_precision(outputs[self.output])
        table = aligned(target)
        if len(table) < 2:
            return LossResult(embeddings[:0].sum())
        images, count = table.shape
        with torch.autocast(embeddings.device.type, enabled=False):
            views = [embeddings[rows] for rows in table.T]
            middle = torch.stack(views).mean(0)
            # Σ over pairs of (a - b)² = V Σ_v (z_v - middle)², and there are V (V - 1) / 2 pairs.
            invariance = sum(((view - middle).square().mean() for view in views), middle.new_zeros(()))
            invariance = invariance * 2 / (count - 1)
            centred = [view - view.mean(0) for view in views]
            spreads = torch.stack([view.square().sum(0) / (images - 1) for view in centred])
            variance = F.relu(1 - (spreads + self.epsilon).sqrt()).mean()
            crossed = [off_diagonal(view.T @ view / (images - 1)) / view.shape[1] for view in centred]
            covariance = torch.stack(crossed).sum() * 2 / count
            loss = self.invariance * invariance + self.variance * variance + self.covariance * covariance
        terms = {"invariance": invariance, "variance": variance, "covariance": covariance}
        return LossResult(images * loss, {name: term.detach() for name, term in terms.items()} if context.log else {})
