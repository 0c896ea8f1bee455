"""An objective: a loss on some outputs of a head, with a weight; and the weighted sum of a stream's objectives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rankhub.engine.network import Outputs
from rankhub.interfaces.loss import Loss, LossContext
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.schedule import Clock, Schedule, value_at


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective of a stream in one phase, built."""

    name: str  # STREAM/LABEL, for logs and messages
    head: str  # the head whose outputs it uses
    outputs: tuple[str, ...]  # names of those
    loss: Loss  # the same module in every phase
    weights: tuple[float | Schedule, ...] = (1.0,)  # its own and that of the stream in the phase; their product counts

    def weight(self, clock: Clock) -> float:
        """Its weight in the step that is about to be done."""
        return math.prod(value_at(weight, clock) for weight in self.weights)

    def pick(self, outputs: Outputs) -> dict[str, Tensor]:
        """The outputs that the loss is handed."""
        return {name: outputs[f"{self.head}.{name}"] for name in self.outputs}


@dataclass(slots=True)
class Weighed:
    """The weighted sum of a stream's objectives on one (micro-)batch, and its terms."""

    total: Tensor  # scalar with a graph, weighted and divided by the global counts
    values: dict[str, Tensor]  # objective -> its share of the mean loss, unweighted, without a graph
    parts: dict[str, Tensor]  # OBJECTIVE/part -> scalar for the log


@dataclass(frozen=True, slots=True)
class Setting:
    """Arguments of :func:`weigh` that all objectives of a stream share in a step."""

    clock: Clock  # where the phase stands
    log: bool  # whether diagnostics are wanted
    counts: Mapping[str, Tensor]  # by objective, over the whole batch; a micro-batch is divided by them too
    queries: Tensor | None = None  # [N] bool on the CPU where processes share views: rows whose terms this one computes
    processes: int = 1  # a loss that is no sum over queries is computed whole by each, which takes so large a part


def weigh(
    objectives: Sequence[Objective], outputs: Outputs, teacher: Outputs | None, target: RankTarget, setting: Setting
) -> Weighed:
    """Σ weight * loss sum / global count, over a stream's objectives, on outputs of the network and of a teacher."""
    terms: list[Tensor] = []
    values: dict[str, Tensor] = {}
    parts: dict[str, Tensor] = {}
    for objective in objectives:
        taught = None if teacher is None else objective.pick(teacher)
        own = setting.queries if objective.loss.per_query else None
        context = LossContext(setting.clock.progress, own, taught, setting.log)
        result = objective.loss(objective.pick(outputs), target, context)
        mean = result.total / setting.counts[objective.name].clamp(min=1)
        if setting.queries is not None and own is None:
            mean = mean / setting.processes
        terms.append(objective.weight(setting.clock) * mean)
        values[objective.name] = mean.detach()
        parts |= {f"{objective.name}/{name}": value.detach() for name, value in result.parts.items()}
    return Weighed(torch.stack(terms).sum(), values, parts)


def heads_of(objectives: Sequence[Objective]) -> list[str]:
    """The heads that the objectives use, each once."""
    return list(dict.fromkeys(objective.head for objective in objectives))


def counts_of(objectives: Sequence[Objective], target: RankTarget) -> dict[str, Tensor]:
    """Objective -> the number of terms (views, groups, queries) in its loss on these views: float64 on the CPU."""
    return {objective.name: objective.loss.count(target.on_cpu).to(torch.float64) for objective in objectives}
