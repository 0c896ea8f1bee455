"""Average precision by blackbox differentiation of ranks (RaMBO)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt
from rankhub.interfaces.order import RankTarget
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.retrieval_loss import RetrievalLoss
from rankhub_s2r2.steps import Heaviside
from rankhub_s2r2.streamed import Block, Statistic, SummedLoss, streamed_sum


class BlackboxAP(RetrievalLoss):
    """True average precision with a margin, and the gradient of an interpolation: 1 - AP, summed over the queries.

    With cosines s_q(j), P_q the other views of q's group, N_q the views of other groups, m the margin:

        s̃(i) = s_q(i) - m/2  for i in P_q           s̃(j) = s_q(j) + m/2  for j in N_q
        AP_q = 1/|P_q| Σ_{i in P_q} R⁺(i) / R(i)     with the true ranks by s̃, 1 for the nearest, equals sharing theirs

    The gradient compares the ranks of all views with those after a step of length lambda along the gradient at them:

        s'(i) = s̃(i) + lambda dL_q/dR(i) = s̃(i) + lambda / |P_q| · R⁺(i) / R(i)²  for i in P_q,  s'(j) = s̃(j) for others
        dL_q/ds_q(j) = (R'(j) - R(j)) / lambda       for all j; R⁺ is taken as constant

    so that positives are lifted, and just the negatives that they would overtake are pushed down. The gradient belongs
    to each query alone and is then weighted, so that neither the number of queries nor a loss weight changes it; with
    every view a query this is the authors' with ranks divided by N and the mean over the batch.

    The authors scale the margin by |a normal number|, new for each pair. Here it is the same for all (as in
    their recall loss), so that the loss is a function of the embeddings: equal on any number of processes, and in both
    passes of an accumulated step. The ranks compare cosines as :mod:`rankhub_ranking.similarity` rounds them, in
    the backward too: equals are equal wherever they stand, and cosines less than 1e-6 apart may be.

    For the log: "mAP" (without margin), "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in
    smooth_ap.

    Source: Rolinek, Musil, Paulus, Vlastelica, Michaelis, Martius: Optimizing rank-based metrics with blackbox
    differentiation, CVPR 2020 (arXiv 1912.03500); lambda and margin as in the comparisons of ROADMAP.

    Args:
        interpolation: lambda, the length of the step; more looks further and gives a smoother, smaller gradient.
        margin: m, in units of cosine; without one, ranks that are right by a hair have no gradient.
    """

    name: ClassVar[str] = "blackbox_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        interpolation: Annotated[float, Gt(0)] = 4.0,
        margin: Annotated[float, Ge(0)] = 0.02,
        **options: Any,
    ) -> None:
        super().__init__(outputs, **options)
        self.statistic = BlackboxPrecision(interpolation, margin)

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ 1 - AP."""
        return streamed_sum(rows, queries, SummedLoss(self.statistic))


class BlackboxPrecision(Statistic):
    """1 - AP of each query, with the gradient of :class:`BlackboxAP`."""

    exact = True

    def __init__(self, strength: float, margin: float) -> None:
        self.strength, self.margin = strength, margin
        self.step = Heaviside()

    def values(self, block: Block) -> tuple[Tensor, ...]:
        """[m]."""
        among, above = self._ranks(block.scores, block.own - self.margin)
        return (1 - (among / (among + above)).mean(1),)

    def pull_back(self, block: Block, grads: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The difference of the ranks before and after the step, for positives and negatives."""
        scores, own = block.scores, block.own - self.margin  # only differences count: the whole margin on one side
        among, above = self._ranks(scores, own)
        ranks = among + above
        lifted = own + self.strength / own.shape[1] * among / ranks.square()
        weight = grads[0][:, None] / self.strength
        at_own = (sum(self._ranks(scores, lifted)) - ranks) * weight
        # A negative falls by the positives that overtake it: Σ_i H(s'_i - s_j) - H(s_i - s_j), from half steps.
        overtaken = torch.zeros_like(scores)
        for before, after in zip(own.T, lifted.T, strict=True):
            overtaken += (after[:, None] - scores).sign_().sub_((before[:, None] - scores).sign_())
        return overtaken.mul_(weight / 2), at_own

    def _ranks(self, scores: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """[m, P] R⁺ and [m, P] R - R⁺ of the positives."""
        return self.step.sums(own, own).add_(0.5), self.step.sums(scores, own)
