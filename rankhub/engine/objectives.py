"""An objective: which outputs go into which loss, and how their sum becomes a part of the total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rankhub.engine.network import Network, Outputs
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.loss import Loss, LossContext
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.schedule import Clock, Schedule, value_at


@dataclass(frozen=True, slots=True)
class Goal:
    """One objective of a stream, built.

    Attributes:
        name: ``STREAM.NUMBER``, for logs and messages.
        head: The head whose outputs it uses.
        outputs: Names of those outputs.
        loss: The loss.
        weight: Number or schedule.
    """

    name: str
    head: str
    outputs: tuple[str, ...]
    loss: Loss
    weight: float | Schedule

    def pick(self, outputs: Outputs) -> dict[str, Tensor]:
        """The outputs that the loss is handed."""
        return {name: outputs[self.head][name] for name in self.outputs}


class LossNotFiniteError(UserError):
    """A loss became infinite or NaN; the run stops before the weights take it up."""


def check_finite(values: Mapping[str, Tensor], step: int, last_good: str) -> dict[str, float]:
    """The values as numbers.

    Raises:
        LossNotFiniteError: One of them is not finite; names the objective, the step and the last checkpoint.
    """
    numbers = dict(zip(values, torch.stack(list(values.values())).tolist(), strict=True)) if values else {}
    for name, number in numbers.items():
        if number != number or number in (float("inf"), float("-inf")):
            raise LossNotFiniteError(
                f"the loss of objective {name} is {number} at step {step}; the weights were not changed by it. "
                f"Last good checkpoint: {last_good}. Lower the learning rate, set clip_grad, or use precision: fp32"
            )
    return numbers


@dataclass(slots=True)
class Weighed:
    """The objectives of one stream on one (micro-)batch.

    Attributes:
        total: Scalar with a graph, weighted and divided by the global counts.
        values: Objective -> its share of the mean loss, unweighted, without a graph.
        parts: ``OBJECTIVE.part`` -> scalar for the log.
    """

    total: Tensor
    values: dict[str, Tensor]
    parts: dict[str, Tensor]


def weigh(
    goals: Sequence[Goal],
    outputs: Outputs,
    taught: Outputs | None,
    target: RankTarget,
    counts: Mapping[str, Tensor],
    clock: Clock,
    log: bool,
    queries: Tensor | None = None,
    processes: int = 1,
) -> Weighed:
    """Add up the objectives of a stream.

    Args:
        goals: The objectives.
        outputs: The network's outputs on these views.
        taught: The averaged network's outputs on the same views, if there is a teacher.
        target: What the views are.
        counts: Objective -> global count; a micro-batch is divided by the count of the whole batch.
        clock: Where the phase stands.
        log: Whether diagnostics are wanted.
        queries: [N] bool where several processes share the views: the rows whose terms this one computes.
        processes: How many they are. A loss that is no sum over queries is computed whole by each, so each of them
            takes so large a part of it.
    """
    terms: list[Tensor] = []
    values: dict[str, Tensor] = {}
    parts: dict[str, Tensor] = {}
    for goal in goals:
        teacher = None if taught is None else goal.pick(taught)
        own = queries if goal.loss.per_query else None
        result = goal.loss(goal.pick(outputs), target, LossContext(clock.progress, own, teacher, log))
        mean = result.total / counts[goal.name].clamp(min=1)
        if queries is not None and own is None:
            mean = mean / processes
        terms.append(value_at(goal.weight, clock) * mean)
        values[goal.name] = mean.detach()
        parts |= {f"{goal.name}.{name}": value.detach() for name, value in result.parts.items()}
    return Weighed(torch.stack(terms).sum(), values, parts)


def heads_of(goals: Sequence[Goal]) -> list[str]:
    """The heads that the objectives use, each once."""
    return list(dict.fromkeys(goal.head for goal in goals))


def counts_of(goals: Sequence[Goal], target: RankTarget) -> dict[str, Tensor]:
    """Objective -> by how much its sum is divided, as far as these views tell."""
    return {goal.name: goal.loss.count(target).to(torch.float64) for goal in goals}


def after_step(network: Network) -> None:
    """Tell every loss that the weights have moved."""
    for module in network.losses.modules():
        if isinstance(module, Loss):
            module.after_step()
