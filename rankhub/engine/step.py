"""One training step: views, outputs, losses, gradient, and the optimiser's move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rankhub.engine.average import WeightAverage
from rankhub.engine.device import Compute
from rankhub.engine.groups import Steering
from rankhub.engine.network import Network, train_mode
from rankhub.engine.objectives import Goal, Weighed, after_step, check_finite, global_counts, heads_of, weigh
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.schedule import Clock, Schedule, value_at


@dataclass(slots=True)
class Stepped:
    """What one step did.

    Attributes:
        losses: Objective -> mean loss; ``loss`` is the weighted total.
        parts: Diagnostics, when they were asked for.
        views: Views that passed the network.
        rate: Learning rate.
        gradient_norm: Norm before clipping, where gradients are clipped.
    """

    losses: dict[str, float]
    parts: dict[str, float] = field(default_factory=dict)
    views: int = 0
    rate: float = 0.0
    gradient_norm: float | None = None


@dataclass(slots=True)
class Learner:
    """What a step changes: the network, its average, the optimiser.

    Attributes:
        network: Trained.
        average: Moving average of its weights, or None.
        decay: The average's decay.
        compute: Device and precision.
        scaler: Of fp16.
        clip: Largest norm of the gradient, or None.
    """

    network: Network
    average: WeightAverage | None
    decay: float | Schedule
    compute: Compute
    scaler: torch.amp.GradScaler
    clip: float | None = None

    def step(
        self,
        batches: Mapping[str, Batch],
        goals: Mapping[str, Sequence[Goal]],
        micro_batches: Mapping[str, int],
        steering: Steering,
        clock: Clock,
        number: int,
        log: bool,
        last_good: str,
    ) -> Stepped:
        """Do one step.

        Args:
            batches: Stream -> its views, on the device.
            goals: Stream -> its objectives.
            micro_batches: Stream -> parts in which its batch passes the network.
            steering: The phase's optimiser.
            clock: Where the phase stands.
            number: Number of the step in the run, for messages.
            log: Whether diagnostics are wanted.
            last_good: The last checkpoint, for messages.

        Raises:
            LossNotFiniteError: A loss is not finite. The weights are as they were before the step.
        """
        train_mode(self.network)
        if self.average is not None:
            self.average.network.train(self.average.teaches)  # an evaluation may have come between
        rate = steering.set(clock)
        steering.optimizer.zero_grad(set_to_none=True)
        values: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        total = torch.zeros((), device=self.compute.device)
        for stream, batch in batches.items():
            counts = global_counts(goals[stream], batch.target)
            for part in split_by_sample(batch, micro_batches[stream]):
                weighed = self._backward(part, goals[stream], counts, clock, log)
                total = total + weighed.total.detach()
                for name, value in weighed.values.items():
                    values[name] = values.get(name, torch.zeros_like(value)) + value
                parts |= weighed.parts
        numbers = check_finite({**values, "loss": total}, number, last_good)
        norm = self._move(steering)
        if self.average is not None:
            self.average.update(self.network, value_at(self.decay, clock))
        after_step(self.network)
        shown = {name: float(value) for name, value in parts.items()}
        return Stepped(numbers, shown, sum(len(batch) for batch in batches.values()), rate, norm)

    def _backward(
        self, part: Batch, goals: Sequence[Goal], counts: Mapping[str, Tensor], clock: Clock, log: bool
    ) -> Weighed:
        heads = heads_of(goals)
        images = [self.compute.images(stack) for stack in part.images]
        taught = None
        with self.compute.autocast():
            outputs = self.network(images, heads)
            if self.average is not None and self.average.teaches:
                with torch.no_grad():
                    taught = self.average.network(images, heads)
        weighed = weigh(goals, outputs, taught, part.target, counts, clock, log)
        torch.autograd.backward(self.scaler.scale(weighed.total))
        return weighed

    def _move(self, steering: Steering) -> float | None:
        norm = None
        if self.clip is not None:
            self.scaler.unscale_(steering.optimizer)
            norm = float(torch.nn.utils.clip_grad_norm_(steering.parameters(), self.clip))
        self.scaler.step(steering.optimizer)
        self.scaler.update()
        return norm


def split_by_sample(batch: Batch, parts: int) -> list[Batch]:
    """A batch in ``parts`` micro-batches that hold whole samples, and so whole groups."""
    if parts == 1:
        return [batch]
    index = batch.target.index.cpu()
    samples = torch.unique(index)
    return [batch.rows(torch.isin(index, chunk).nonzero().flatten()) for chunk in torch.tensor_split(samples, parts)]
