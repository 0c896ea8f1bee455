"""Average precision from histograms of the similarities: list-wise (histogram_ap) and FastAP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.order import RankTarget
from rankhub_s2r2.positives import Queries
from rankhub_s2r2.retrieval_loss import RetrievalLoss
from rankhub_s2r2.streamed import Block, Statistic, SummedLoss, streamed_sum


class Histograms(Statistic):
    """Histograms of the similarities to positives and to negatives, each shared linearly between the nodes around it.

    Two additions a pair, whatever the number of nodes. Above ``high`` and below ``low`` there is no gradient.
    """

    def __init__(self, nodes: int, low: float, high: float) -> None:
        self.nodes, self.high, self.scale = nodes, high, (nodes - 1) / (high - low)

    def values(self, block: Block) -> tuple[Tensor, ...]:
        """[m, K] mass of the positives and [m, K] mass of the negatives."""
        negatives = self._masses(block.scores)
        negatives[:, -1] -= block.scores.isneginf().sum(1)  # those left out lie below all
        return self._masses(block.own), negatives

    def pull_back(self, block: Block, grads: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The gradient at a similarity: how the next node's differs from that of the node above it."""
        at_positives, at_negatives = grads
        return self._slopes(block.scores, at_negatives), self._slopes(block.own, at_positives)

    def _positions(self, scores: Tensor) -> Tensor:
        """[m, n] of the scores in units of the distance of nodes, from 0 at ``high`` on."""
        return (self.high - scores).mul_(self.scale)

    def _masses(self, scores: Tensor) -> Tensor:
        positions = self._positions(scores).clamp_(0, self.nodes - 1)
        node = positions.long().clamp_(min=0)  # a similarity of nan must not become an index
        beyond = positions.sub_(node)
        # One more column, to which the last node hands nothing.
        count = scores.new_zeros(len(scores), self.nodes + 1)
        moved = torch.zeros_like(count)
        count.scatter_add_(1, node, scores.new_ones(()).expand_as(scores))
        moved.scatter_add_(1, node, beyond)
        count -= moved
        count[:, 1:] += moved[:, :-1]
        return count[:, :-1]

    def _slopes(self, scores: Tensor, at_masses: Tensor) -> Tensor:
        # Columns: above all nodes, between nodes 1 and 2, ..., K - 1 and K, below all.
        table = scores.new_zeros(len(scores), self.nodes + 1)
        table[:, 1:-1] = at_masses.diff(dim=1) * -self.scale
        positions = self._positions(scores).add_(1).clamp_(0, self.nodes)
        return table.gather(1, positions.long().clamp_(min=0))


class HistogramLoss(SummedLoss):
    """1 - average precision of each query, of similarities that count towards the two nodes around them.

    With K nodes at equal distances from ``high`` down to ``low``, h_l the mass of all items at node l and h⁺_l that of
    the positives, H_l and H⁺_l their sums over the nodes 1 to l:

        AP_q = 1/|P_q| Σ_l h⁺_l H⁺_l / H_l          (0 where H_l is)

    What lies above ``high`` or below ``low`` counts at that node.
    """

    def __init__(self, nodes: int, low: float, high: float) -> None:
        super().__init__(Histograms(nodes, low, high))

    def term(self, block: Block, values: tuple[Tensor, ...]) -> Tensor:
        """[m] in [0, 1)."""
        positives, negatives = values
        found = positives.cumsum(1)
        seen = found + negatives.cumsum(1)
        share = found / torch.where(seen > 0, seen, torch.ones_like(seen))
        return 1 - (positives * share).sum(1) / block.own.shape[1]


class FastAP(RetrievalLoss):
    """FastAP: 1 - AP, summed over the queries; every view is a query.

    With d² = 2 - 2 s_q(j) in [0, 4], L bins of width D = 4 / L with L + 1 edges e_l, and the soft count
    max(0, 1 - |d² - e_l| / D) of each other view at each edge, h_l summed over all of them and h⁺_l over the query's
    group, H_l and H⁺_l their sums up to l:

        AP_q = 1/|P_q| Σ_l h⁺_l H⁺_l / H_l          (0 where H_l is)

    Since d² is linear in the cosine, this is histogram_ap with L + 1 centres on [-1, 1] (computed by the same code).
    The gradient is the true one: the authors' PyTorch code gives N / 2 times as much. Two views in the same bin have no
    order: at 10 bins a bin is .2 wide in cosine.

    For the log: "mAP", "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in smooth_ap.

    Source: Cakir, He, Xia, Kulis, Sclaroff: Deep metric learning to rank, CVPR 2019.

    Args:
        bins: L.
    """

    name: ClassVar[str] = "fast_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        bins: Annotated[int, Ge(1)] = 10,
        queue: Annotated[int, Ge(0)] = 0,
    ) -> None:
        super().__init__(outputs, queue=queue)
        self.bins = bins

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ 1 - AP."""
        return streamed_sum(rows, queries, HistogramLoss(self.bins + 1, -1.0, 1.0))


class HistogramAP(RetrievalLoss):
    """Average precision by histogram binning: 1 - AP, summed over the queries; every view is a query.

    With ``bins`` centres from ``high`` down to ``low``, and a cosine shared linearly between the two centres around it
    (a triangular kernel, saturated at both ends), c_l the mass of all other views at centre l and c⁺_l that of the
    query's group:

        precision_l = Σ_{k <= l} c⁺_k / Σ_{k <= l} c_k        recall_l = c⁺_l / Σ_k c⁺_k
        AP_q        = Σ_l precision_l recall_l

    The kernel has the same slope everywhere, so badly ranked views keep their gradient; but between two centres there
    is no order, and outside of [low, high] no gradient. Memory grows with N, time with N² whatever the bins.

    For the log: "mAP", "precision_at_1", "positive_cosine", "cosine_mean", "cosine_std" as in smooth_ap.

    Source: Revaud, Almazan, Rezende, de Souza: Learning with average precision: training image retrieval with a
    listwise loss, ICCV 2019 (arXiv 1906.07589), with the range that ROADMAP takes for cosines.

    Args:
        bins: Number of centres. 20 on [-1, 1] is ROADMAP's; the authors take 25 on [0, 1].
        low: The lowest centre. On [0, 1] negative cosines have no gradient.
        high: The highest centre.
    """

    name: ClassVar[str] = "histogram_ap"

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        bins: Annotated[int, Ge(2)] = 20,
        low: float = -1.0,
        high: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(outputs, **options)
        if not low < high:
            raise Objection(f"histogram_ap needs low < high, got low: {low:g} and high: {high:g}")
        self.bins, self.low, self.high = bins, low, high

    def total(self, rows: Tensor, queries: Queries, target: RankTarget, progress: float) -> Tensor:
        """Σ 1 - AP."""
        return streamed_sum(rows, queries, HistogramLoss(self.bins, self.low, self.high))
