"""One training step: views, outputs, losses, gradient, and the optimiser's move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rankhub.engine.groups import ScheduledOptimizer
from rankhub.engine.learner import Learner, Portion, Turn
from rankhub.engine.network import train_mode
from rankhub.engine.objectives import Weighed, after_step, check_finite
from rankhub.engine.passes import pass_views
from rankhub.interfaces.schedule import value_at


@dataclass(slots=True)
class Stepped:
    """What one step did."""

    losses: dict[str, float]  # objective -> mean loss; ``loss`` is the weighted total
    parts: dict[str, float] = field(default_factory=dict)  # diagnostics, when they were asked for
    views: int = 0  # that passed the network, on all processes
    rate: float = 0.0  # learning rate
    gradient_norm: float | None = None  # before clipping, where gradients are clipped


def take_step(learner: Learner, portions: Mapping[str, Portion], optimizer: ScheduledOptimizer, turn: Turn) -> Stepped:
    """Do one step on each stream's portion.

    Raises:
        LossNotFiniteError: A loss is not finite. The weights are as they were before the step.
        PeerLostError: Another process is gone.
    """
    train_mode(learner.network)
    if learner.average is not None:
        learner.average.network.train(learner.average.teaches)  # an evaluation may have come between
    rate = optimizer.set(turn.clock)
    optimizer.optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    parts: dict[str, Tensor] = {}

    def note(weighed: Weighed) -> None:
        for name, value in {**weighed.values, "loss": weighed.total.detach()}.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + value
        parts.update(weighed.parts)

    for stream, portion in portions.items():
        with learner.statistics(learn=portion.statistics):
            pass_views(learner, stream, portion, turn, note)
    if learner.processes.count > 1:
        learner.processes.sum_gradients(optimizer.parameters())
        _add_up(learner, sums, parts, turn.log)
    sums["loss"] = sums.pop("loss")  # last, so that a message names the objective
    numbers = check_finite(sums, turn.number, turn.last_good)
    norm = _move(learner, optimizer)
    if learner.average is not None:
        learner.average.update(learner.network, value_at(learner.decay, turn.clock))
    after_step(learner.network)
    shown = {name: float(value) for name, value in parts.items()}
    views = sum(len(portion.batch) for portion in portions.values()) * learner.processes.count
    return Stepped(numbers, shown, views, rate, norm)


def _add_up(learner: Learner, sums: dict[str, Tensor], parts: dict[str, Tensor], log: bool) -> None:
    """Bring together the numbers that the processes have found."""
    total = learner.processes.sum(torch.stack([value.double() for value in sums.values()]))
    sums.update(zip(sums, total, strict=True))
    names = learner.processes.from_first(list(parts)) if log else []
    if names:  # a part may be missing where a process had nothing to say
        there = [float(name in parts) for name in names]
        shown = [float(parts.get(name, 0.0)) for name in names]
        added = learner.processes.sum(torch.tensor([shown, there], dtype=torch.float64))
        parts.update(zip(names, added[0] / added[1], strict=True))


def _move(learner: Learner, optimizer: ScheduledOptimizer) -> float | None:
    """Move the weights; the gradient's norm before it is clipped, where it is."""
    norm = None
    if learner.clip is not None:
        learner.scaler.unscale_(optimizer.optimizer)
        norm = float(torch.nn.utils.clip_grad_norm_(optimizer.parameters(), learner.clip))
    learner.scaler.step(optimizer.optimizer)
    learner.scaler.update()
    return norm
