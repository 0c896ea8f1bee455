"""Average precision on graded relevance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_ranking.annealing import Annealed
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.retrieval_loss import RetrievalLoss
from rankhub_s2r2.steps import PairStep, Sigmoid
from rankhub_s2r2.streamed import Block, Statistic, SummedLoss, streamed_sum


class GradedAP(RetrievalLoss):
    """Smooth average precision on continuous relevance: 1 - AP, summed over the queries; every view is a query.

    The relevance of view j for a query is its level, in [0, 1], inside the query's group, and 0 elsewhere. With cosines
    s_q(j), P_q the other views of q's group and G(x) = 1 / (1 + exp(-x / tau)):

        H-rank(i) = rel_i + Σ_{j in P_q, j != i} min(rel_i, rel_j) G(s_q(j) - s_q(i))
        R(i)      = 1 + Σ_{j != i, q} G(s_q(j) - s_q(i))
        AP_q      = Σ_{i in P_q} H-rank(i) / R(i)  /  Σ_{i in P_q} rel_i

    Levels of 1 give smooth_ap. A view of small level should stand before those of other groups, but counts less, and is
    best placed behind those of higher level; a view of level 0 is a negative of its own group. The level of the query
    itself plays no part. A view is a query if another view of its group has a level above 0.

    For the log: "mAP" (all other views of the group equally relevant), "precision_at_1", "positive_cosine",
    "cosine_mean", "cosine_std" as in smooth_ap; "pairs_with_gradient" also.

    Source: the form of H-AP in Ramzi, Audebert, Thome, Rambour, Bitot: Hierarchical average precision training for
    pertinent image retrieval, ECCV 2022 (arXiv 2207.04873), with Smooth-AP's step; for soft labels compare CoTAP (arXiv
    2509.09429), which this is not.

    Args:
        tau: Temperature of the sigmoid, in units of cosine, as in smooth_ap.
        tau_end: tau at the phase's end, to which it goes from ``tau`` along half a cosine; None = the same all through.
        include_self: Count the query among its own positives and items, with its own level.
    """

    name: ClassVar[str] = "graded_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        tau: Annotated[float, Gt(0)] = 0.05,
        tau_end: Annotated[float, Gt(0)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(outputs, **options)
        self.tau = Annealed(tau, tau_end)

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if no group can hold two views, and one if the levels have several columns."""
        yield from super().check(views, label)
        if views.levels == "grid":
            yield (
                "graded_ap takes one level a view as its relevance, in [0, 1], but the stream's generator gives each "
                "view several; use a generator with one kind of change in a group"
            )

    def count(self, target: RankTarget) -> Tensor:
        """Number of queries: views that share their group with another view of a level above 0.

        Raises:
            UserError: A level lies outside of [0, 1].
        """
        level = relevance(target)
        _, which = torch.unique(target.group, return_inverse=True)
        relevant = (level > 0).long()
        others = torch.zeros_like(which).index_add_(0, which, relevant)[which] - relevant
        return (others > 0).sum()

    def reach(self, progress: float) -> float:
        """4 tau."""
        return 4 * self.tau.at(progress)

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ 1 - AP over the queries that have something relevant."""
        level = sent(relevance(target.on_cpu), rows.device).to(rows.dtype)[queries.positives]
        return streamed_sum(rows, queries, GradedLoss(Sigmoid(self.tau.at(progress)), level, queries))


def relevance(target: RankTarget) -> Tensor:
    """[N] the levels of the views.

    Raises:
        UserError: There are several columns, or a level lies outside of [0, 1].
    """
    level = target.level
    if level.ndim == 2 and level.shape[1] == 1:
        level = level[:, 0]
    if level.ndim != 1:
        raise UserError(f"graded_ap takes one level a view as relevance, but this batch has {level.shape[1]} columns")
    outside = ~((level >= 0) & (level <= 1))
    if outside.any():
        raise UserError(
            f"graded_ap takes levels in [0, 1] as relevance, but this batch has one of {level[outside][0].item():g}; "
            "scale the levels of the stream's generator, or use a loss that takes only their order"
        )
    return level


class GradedRanks(Statistic):
    """H-rank and R of each positive, by the relevance ``level`` [n, P] of the positives of all queries."""

    def __init__(self, step: PairStep, level: Tensor) -> None:
        self.step, self.level = step, level

    def values(self, block: Block) -> tuple[Tensor, ...]:
        """[m, P] H-rank and [m, P] R."""
        level = self.level[block.at]
        gained = self.step.sums(block.own, block.own, (level, level)).add_(level, alpha=1 - self.step.at_zero)
        among = self.step.sums(block.own, block.own).add_(1 - self.step.at_zero)
        return gained, among + self.step.sums(block.scores, block.own)

    def pull_back(self, block: Block, grads: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The closed form, by the slopes of the step."""
        level, (at_gained, at_ranks) = self.level[block.at], grads
        at_scores, at_own = self.step.pull_back(block.scores, block.own, at_ranks)
        for pulled in (
            self.step.pull_back(block.own, block.own, at_ranks),
            self.step.pull_back(block.own, block.own, at_gained, (level, level)),
        ):
            at_own = at_own + sum(pulled, torch.zeros_like(at_own))
        return at_scores, at_own


class GradedLoss(SummedLoss):
    """1 - AP of each query, and 0 for those without anything relevant but themselves; ``level`` as of the ranks."""

    def __init__(self, step: PairStep, level: Tensor, queries: Queries) -> None:
        super().__init__(GradedRanks(step, level))
        self.total = level.sum(1)
        self.relevant = level.masked_fill(queries.positives == queries.rows[:, None], 0).sum(1) > 0

    def term(self, block: Block, values: tuple[Tensor, ...]) -> Tensor:
        """By H-rank and R of the positives."""
        gained, ranks = values
        total = self.total[block.at]
        precision = (gained / ranks).sum(1) / torch.where(total > 0, total, torch.ones_like(total))
        return torch.where(self.relevant[block.at], 1 - precision, torch.zeros_like(precision))
