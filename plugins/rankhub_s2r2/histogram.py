"""Average precision from histograms of the similarities."""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub_s2r2.positives import Queries
from rankhub_s2r2.streamed import Block, Statistic, streamed


def histogram_precision(
    rows: Tensor, queries: Queries, nodes: int, low: float, high: float, block_bytes: int | None = None
) -> Tensor:
    """Average precision of every query, of similarities that count towards the two nodes around them.

    With K nodes at equal distances from ``high`` down to ``low``, h_l the mass of all items at node l and h⁺_l that of
    the positives, H_l and H⁺_l their sums over the nodes 1 to l:

        AP_q = 1/|P_q| Σ_l h⁺_l H⁺_l / H_l          (0 where H_l is)

    Args:
        rows: [N, d] of unit length.
        queries: n queries with P positives each.
        nodes: K, 2 or more.
        low: The lowest node; what is below counts there.
        high: The highest node; what is above counts there.
        block_bytes: Bytes of similarities held at a time; None = what suits the device.

    Returns:
        [n] in (0, 1], with a graph.
    """
    positives, negatives = streamed(rows, queries, Histograms(nodes, low, high), block_bytes)
    found = positives.cumsum(1)
    seen = found + negatives.cumsum(1)
    share = found / torch.where(seen > 0, seen, torch.ones_like(seen))
    return (positives * share).sum(1) / queries.positives.shape[1]


class Histograms(Statistic):
    """Histograms of the similarities to positives and to negatives, each shared linearly between the nodes around it.

    Two additions a pair, whatever the number of nodes. Above ``high`` and below ``low`` there is no gradient.

    Args:
        nodes: K.
        low: The lowest node.
        high: The highest node, counted first.
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

    def _places(self, scores: Tensor) -> Tensor:
        """[m, n] of the scores in units of the distance of nodes, from 0 at ``high`` on."""
        return (self.high - scores).mul_(self.scale)

    def _masses(self, scores: Tensor) -> Tensor:
        places = self._places(scores).clamp_(0, self.nodes - 1)
        node = places.long().clamp_(min=0)  # a similarity of nan must not become an index
        beyond = places.sub_(node)
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
        places = self._places(scores).add_(1).clamp_(0, self.nodes)
        return table.gather(1, places.long().clamp_(min=0))
