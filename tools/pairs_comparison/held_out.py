"""How well a network ranks the versions of photos that no method has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pairs_comparison.pool import PhotoVersions
from rankhub.engine.network import Network
from rankhub.engine.objectives import Objective
from rankhub.interfaces.loss import Loss, LossContext
from rankhub.interfaces.order import RankTarget

BLOCK = 64
"""Views that pass together."""


@dataclass(frozen=True)
class HeldOutScore:
    """What was found.

    Attributes:
        loss: Mean ranking loss over all pairs within a photo and kind.
        accuracy: Share of these pairs in the right order; equals count half.
        loss_by_kind: Kind -> its loss.
        accuracy_by_kind: Kind -> its accuracy.
    """

    loss: float
    accuracy: float
    loss_by_kind: Mapping[str, float]
    accuracy_by_kind: Mapping[str, float]


@dataclass(frozen=True)
class HeldOut:
    """One crop of every version of every held-out photo, the same for all methods and seeds.

    Attributes:
        images: [N, 3, side, side].
        target: Their order.
        loss: ``margin_ranking`` as in training, but on pairs of one photo only.
        kinds: Names of the kinds, in the order of their numbers.
    """

    images: Tensor
    target: RankTarget
    loss: Loss
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, pool: PhotoVersions, loss: Loss) -> HeldOut:
        """Cut the versions of the held-out photos."""
        rows = np.arange(len(pool.views))
        return cls(pool.crops(rows, 0, "evaluate"), pool.target(rows), loss, pool.chain.views.kinds)

    @torch.no_grad()
    def score(self, network: Network, objective: Objective) -> HeldOutScore:
        """Judge a network; leaves it in evaluation mode."""
        network.eval()
        (output,) = objective.outputs
        parts = [network([part], [objective.head])[f"{objective.head}.{output}"] for part in self.images.split(BLOCK)]
        scores, kind = torch.cat(parts), self.target.kind
        assert kind is not None
        loss, accuracy = self._of(output, scores, torch.arange(len(scores)))
        each = {name: self._of(output, scores, (kind == k).nonzero()[:, 0]) for k, name in enumerate(self.kinds)}
        losses, accuracies = ({name: found[n] for name, found in each.items()} for n in range(2))
        return HeldOutScore(loss, accuracy, losses, accuracies)

    def _of(self, output: str, scores: Tensor, rows: Tensor) -> tuple[float, float]:
        target = self.target.rows(rows)
        result = self.loss({output: scores[rows]}, target, LossContext(log=True))
        pairs = self.loss.count(target).clamp(min=1)
        return float(result.total / pairs), float(result.parts.get("ranking_accuracy", torch.tensor(float("nan"))))
