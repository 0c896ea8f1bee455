"""What guards may look at beside the run itself: a trial step of each phase on copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rankhub.interfaces.guard import Guard

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from rankhub.interfaces.batch import Batch
    from rankhub.interfaces.data import Dataset
    from rankhub.interfaces.generator import Generator
    from rankhub.interfaces.loss import Loss
    from rankhub.interfaces.optim import Optimizer
    from rankhub.interfaces.order import RankTarget
    from rankhub.interfaces.predict import Forward, Predict
    from rankhub.interfaces.schedule import Clock, Schedule


class TrialGuard(Guard):
    """A guard that is told of trial steps, too. Every method may be left out."""

    def scheduled(self, schedule: Schedule, start: Clock, low: float, high: float) -> None:
        """A schedule gives a number from ``low`` to ``high`` in the phase that is at its ``start``."""

    def drawn(self, dataset: Dataset, steps: Sequence[Generator], batch: Batch, alone: Callable[[int], Batch]) -> None:
        """A generator has made a batch; ``alone`` makes the views of one image of it by itself."""

    def summed(self, loss: Loss, outputs: Mapping[str, Tensor], target: RankTarget, taught: bool) -> None:
        """A loss is about to be relied on as the sum that it announces; ``taught``: with a teacher."""

    def optimized(self, optimizer: Optimizer) -> None:
        """An optimizer has done a step, with gradients that are still there."""

    def answered(self, predict: Predict, datasets: Iterable[Dataset], forward: Forward, device: torch.device) -> None:
        """Test time will answer for the images of these data sets, on a device."""
