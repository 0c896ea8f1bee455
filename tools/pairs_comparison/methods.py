"""Three ways from ranked views to a gradient: all pairs of few photos, random pairs, the hardest of many."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from pairs_comparison.pool import PairDraws, PhotoVersions, Rows, target_of_pairs
from rankhub.engine.learner import ScheduledOptimizer
from rankhub.engine.network import Network, train_mode
from rankhub.engine.objectives import Objective
from rankhub.engine.wide import buffers_kept
from rankhub.interfaces.loss import LossContext
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.schedule import Clock

TITLES: Mapping[str, str] = {
    "all_pairs": "all pairs (each view once)",
    "random_pairs": "random pairs (two branches)",
    "hard_pairs": "hardest of random pairs",
}
"""The methods, in the order of the figure."""


@dataclass
class Racer:
    """A network in training, with its own clock.

    Attributes:
        name: One of ``TITLES``.
        network: In training.
        objective: Head and loss.
        optimizer: Of the recipe.
        pool: Versions of the training photos.
        draws: Random pairs of them.
        random: Where further random numbers come from.
        photos: m, photos of a step of all pairs.
        pairs: Pairs of a step of the others, so that as many views have a gradient as in a step of all pairs.
        mining: Random pairs that are looked at for each one that has a gradient, of ``hard_pairs``.
        seconds: Trained so far, evaluation not counted.
        views: Passes of the network so far, those without a gradient too.
        steps: Optimizer steps so far.
    """

    name: str
    network: Network
    objective: Objective
    optimizer: ScheduledOptimizer
    pool: PhotoVersions
    draws: PairDraws
    random: np.random.Generator
    photos: int
    pairs: int
    mining: int
    seconds: float = 0.0
    views: int = 0
    steps: int = 0
    _crops: int = field(default=0, repr=False)

    def train(self, until: float, limit: float) -> None:
        """Train until ``seconds`` is ``until`` or just above; schedules run over ``limit`` seconds of this clock."""
        train_mode(self.network)
        while self.seconds < until:
            start = time.perf_counter()
            self.optimizer.set(Clock(int(1e6 * min(1.0, self.seconds / limit)), 10**6, 10**6))
            self.optimizer.optimizer.zero_grad(set_to_none=True)
            self.gradient()
            self.optimizer.optimizer.step()
            self.steps += 1
            self.seconds += time.perf_counter() - start

    def warm_up(self) -> None:
        """Compute one gradient in vain, so that no clock has the first calls of the libraries."""
        train_mode(self.network)
        with buffers_kept(self.network):
            self.gradient()
        self.network.zero_grad(set_to_none=True)
        self.views = 0

    def gradient(self) -> None:
        """Add the gradient of one step."""
        ways: Mapping[str, Callable[[], None]] = {
            "all_pairs": self._all_pairs,
            "random_pairs": self._random_pairs,
            "hard_pairs": self._hard_pairs,
        }
        ways[self.name]()

    def _all_pairs(self) -> None:
        """Every version of m photos passes once; all their pairs are formed on the outputs (Liu et al., 2017)."""
        rows = self.pool.of_photos(self.random.choice(self.pool.photos, self.photos, replace=False))
        self._backward(self._cut(rows), self.pool.target(rows))

    def _random_pairs(self) -> None:
        """Both members of each of some random pairs pass: the standard Siamese network."""
        upper, lower = self.draws.draw(self.pairs)
        self._backward(self._cut(np.concatenate([upper, lower])), target_of_pairs(self.pairs))

    def _hard_pairs(self) -> None:
        """Many random pairs pass without a gradient, the hardest once more with one (Simo-Serra et al., ICCV 2015).

        The hardest are those whose worse member scores highest above the better one.
        """
        upper, lower = self.draws.draw(self.mining * self.pairs)
        images = self._cut(np.concatenate([upper, lower]))
        with torch.no_grad(), buffers_kept(self.network):
            better, worse = torch.cat([self._scores(part) for part in images.split(2 * self.pairs)]).chunk(2)
        hardest = (worse - better).topk(self.pairs).indices
        images = images[torch.cat([hardest, hardest + len(better)])]
        self._backward(images, target_of_pairs(self.pairs))

    def _cut(self, rows: Rows) -> Tensor:
        images = self.pool.crops(rows, self._crops)
        self._crops += len(rows)
        return images

    def _scores(self, images: Tensor) -> Tensor:
        self.views += len(images)
        (output,) = self.objective.outputs
        scores: Tensor = self.network([images], [self.objective.head])[f"{self.objective.head}.{output}"]
        return scores

    def _backward(self, images: Tensor, target: RankTarget) -> None:
        (output,) = self.objective.outputs
        result = self.objective.loss({output: self._scores(images)}, target, LossContext())
        (result.total / self.objective.loss.count(target)).backward()
