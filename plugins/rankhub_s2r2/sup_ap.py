"""SupAP with calibration, the loss of ROADMAP."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt, Le
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.annealing import Annealed
from rankhub_ranking.similarity import RESOLUTION
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.precision import PrecisionLoss
from rankhub_s2r2.retrieval_loss import RetrievalLoss
from rankhub_s2r2.steps import AtLeast, PairStep
from rankhub_s2r2.streamed import Block, Statistic, SummedLoss, streamed, streamed_sum


class SupAP(RetrievalLoss):
    """SupAP and its calibration, summed over the queries; every view is a query.

    With cosines s_q(j), P_q the other views of q's group, N_q the views of other groups, G(x) = 1 / (1 + exp(-x/tau)):

        H⁻(x) = G(x)                            x <= 0
                start + G(x)                    0 < x <= delta
                rho (x - delta) + offset        x > delta
        R⁺(i) = 1 + number of j in P_q, j != i, with s_q(j) >= s_q(i)     (no gradient)
        R(i)  = R⁺(i) + Σ_{j in N_q} H⁻(s_q(j) - s_q(i))
        L_q   = 1 - 1/|P_q| Σ_{i in P_q} R⁺(i) / R(i)
                + calibration · ( 1/|P_q| Σ_{i in P_q} (positive_margin - s_q(i))₊
                                + 1/|N_q| Σ_{j in N_q} (s_q(j) - negative_margin)₊ )

    Cosines at most 1e-6 apart are equal in R⁺ and at the jump of H⁻ (the second form of the rule in
    :mod:`rankhub_ranking.similarity`), so that copies count alike wherever they stand.

    H⁻ is never below the true step, so the first line of L_q bounds the true 1 - AP from above; beyond delta it keeps a
    constant slope, so badly ranked negatives keep their gradient at any tau. The calibration makes the similarities of
    different batches comparable. It is averaged within each query first and then over the queries, so that it stays a
    sum over queries (the same as the mean over all pairs where all groups have one size). Its margins suit supervised
    retrieval: among random photos most negatives lie below .6, and it mostly pulls positives together.

    For the log: "mAP", "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in smooth_ap;
    "calibration", its term without weight, averaged over the queries (without a ``queue``, the rest of the loss
    is SupAP).

    Source: Ramzi, Thome, Rambour, Audebert, Bitot: Robust and decomposable average precision for image retrieval,
    NeurIPS 2021 (arXiv 2110.01445), with the constants of its code.

    Args:
        tau: Temperature of the sigmoid, in units of cosine.
        tau_end: tau at the phase's end, to which it goes from ``tau`` along half a cosine; None = the same all through.
        rho: Slope beyond delta.
        delta: Gap from which the step is linear, in units of cosine.
        start: Added to the sigmoid above 0; below .5, R can fall under the true rank.
        offset: The step just beyond delta. ROADMAP's 1.44 lies a little below start + G(delta), 1.49.
        calibration: Weight of the calibration, 1 in ROADMAP; 0 is SupAP alone.
        positive_margin: Cosine that the calibration asks of positives at least.
        negative_margin: Cosine that it asks of negatives at most.
    """

    name: ClassVar[str] = "sup_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        tau: Annotated[float, Gt(0)] = 0.01,
        tau_end: Annotated[float, Gt(0)] | None = None,
        rho: Annotated[float, Ge(0)] = 100.0,
        delta: Annotated[float, Ge(0)] = 0.05,
        start: Annotated[float, Ge(0)] = 0.5,
        offset: Annotated[float, Ge(0)] = 1.44,
        calibration: Annotated[float, Ge(0)] = 1.0,
        positive_margin: Annotated[float, Ge(-1), Le(1)] = 0.9,
        negative_margin: Annotated[float, Ge(-1), Le(1)] = 0.6,
        **options: Any,
    ) -> None:
        super().__init__(outputs, **options)
        self.tau = Annealed(tau, tau_end)
        self.step = functools.partial(SupStep, rho=rho, delta=delta, start=start, offset=offset)
        self.calibration = calibration
        self.margins = Calibration(positive_margin, negative_margin)

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ 1 - AP with SupAP's ranks, and the weighted calibration."""
        total = streamed_sum(rows, queries, PrecisionLoss(self.step(self.tau.at(progress)), among=AtLeast()))
        if self.calibration:
            total = total + self.calibration * streamed_sum(rows, queries, SummedLoss(self.margins))
        return total

    @torch.no_grad()
    def parts(self, rows: Tensor, plan: Sequence[Queries], target: RankTarget, progress: float) -> dict[str, Tensor]:
        """What all log, and the calibration unless its weight is 0."""
        parts = super().parts(rows, plan, target, progress)
        if self.calibration:
            terms = [streamed(rows, queries, self.margins)[0] for queries in plan]
            parts["calibration"] = torch.cat(terms).mean() if terms else rows.new_zeros(())
        return parts


class SupStep(PairStep):
    """H⁻ of :class:`SupAP`, whose options it takes; its jumps have no gradient."""

    def __init__(self, tau: float, rho: float, delta: float, start: float, offset: float) -> None:
        self.scale = 1.0 / tau
        self.rise, self.bend, self.start, self.offset = rho * tau, delta / tau, start, offset
        self.equal, self.far = RESOLUTION / tau, max(delta, RESOLUTION) / tau  # up to `equal` there is no gap

    def share_(self, gaps: Tensor) -> Tensor:
        """H⁻."""
        line = (gaps - self.bend).mul_(self.rise).add_(self.offset)
        far = gaps > self.far
        jump = (gaps > self.equal).to(gaps.dtype)
        return torch.where(far, line, gaps.sigmoid_().add_(jump, alpha=self.start), out=gaps)

    def slope_(self, gaps: Tensor) -> Tensor:
        """The derivative where there is one."""
        far = gaps > self.far
        shares = gaps.sigmoid_()
        return shares.addcmul_(shares, shares, value=-1).masked_fill_(far, self.rise)


class Calibration(Statistic):
    """Mean (positive - s)₊ over a query's positives plus mean (s - negative)₊ over its negatives."""

    def __init__(self, positive: float, negative: float) -> None:
        self.positive, self.negative = positive, negative

    def values(self, block: Block) -> tuple[Tensor, ...]:
        """[m]; without negatives their mean is 0."""
        count = block.scores.isfinite().sum(1).clamp(min=1)
        near, far = (self.positive - block.own).relu_().mean(1), (block.scores - self.negative).relu_().sum(1) / count
        return (near + far,)

    def pull_back(self, block: Block, grads: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The gradient at the similarities beyond their margins."""
        grad = grads[0][:, None]
        count = block.scores.isfinite().sum(1, keepdim=True).clamp(min=1)
        at_scores = (block.scores > self.negative) * (grad / count)
        return at_scores, (block.own < self.positive) * (-grad / block.own.shape[1])
