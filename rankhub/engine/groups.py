"""Parameter groups of an optimiser, and the numbers in them that change in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rankhub.catalog.hints import Steps
from rankhub.engine.network import Network
from rankhub.engine.plan import PhasePlan
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.schedule import Clock, Schedule, value_at
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.names import matching


def parameter_groups(network: Network, plan: PhasePlan) -> list[dict[str, Any]]:
    """Groups of the parameters that a phase trains, in the order of their names.

    A parameter belongs to the phase if it is in the backbone, in a head that an objective of the phase uses, or
    in a loss of its streams. Groups differ in ``vector`` (biases, weights of normalisation) and ``lr_scale``.
    """
    heads = {objective.head for stream in plan.streams.values() for objective in stream.objectives}
    own = [f"losses.{stream}." for stream in plan.streams]
    prefixes = ("backbone.", *own, *(f"heads.{name}." for name in sorted(heads)))
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad and name.startswith(prefixes)]
    scales: dict[str, float] = {}
    for pattern, factor in plan.phase.lr_scale.items():
        for name in matching((name for name, _ in named), pattern):
            scales[name] = scales.get(name, 1.0) * factor
    groups: dict[tuple[bool, float], dict[str, Any]] = {}
    for name, parameter in named:
        key = (parameter.ndim <= 1, scales.get(name, 1.0))
        group = groups.setdefault(key, {"params": [], "vector": key[0], "lr_scale": key[1]})
        group["params"].append(parameter)
    return list(groups.values())


class ScheduledOptimizer:
    """An optimiser, and before each step the values of its options that are schedules.

    ``place`` is where the recipe names it; ``schedule`` is a factor on its learning rate.
    """

    def __init__(
        self, assembly: Assembly, place: Steps, schedule: Schedule | None, groups: list[dict[str, Any]]
    ) -> None:
        self.schedule = schedule
        self.optimizer: Optimizer = assembly.new(*place, wired=[groups])
        self.numbers: Mapping[str, float | Schedule] = {
            name: value
            for name, value in assembly.options(*place).items()
            if name in self.optimizer.param_groups[0] and isinstance(value, float | Schedule)
        }

    def set(self, clock: Clock) -> float:
        """Give every group its numbers for the step about to be done; returns the learning rate."""
        factor = 1.0 if self.schedule is None else self.schedule.value(clock)
        rate = 0.0
        for name, number in self.numbers.items():
            value = value_at(number, clock) * (factor if name == "lr" else 1.0)
            rate = value if name == "lr" else rate
            for group in self.optimizer.param_groups:
                group[name] = value * float(group.get(f"{name}_scale", 1.0))
        return rate

    def parameters(self) -> list[torch.nn.Parameter]:
        """All parameters that the optimiser moves."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def state(self, network: Network) -> dict[str, Any]:
        """The optimiser's state by parameter name, and the plain values of its groups."""
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        moved = self.optimizer
        state = {names[id(p)]: dict(moved.state[p]) for p in self.parameters() if p in moved.state}
        groups = [
            {key: value for key, value in group.items() if isinstance(value, bool | int | float)}
            for group in moved.param_groups
        ]
        return {"state": state, "groups": groups}

    def load(self, network: Network, saved: Mapping[str, Any], *, same_phase: bool) -> None:
        """Take what :meth:`state` knew of the parameters: momenta, counts; in the same phase the groups' values too."""
        for name, parameter in network.named_parameters():
            known = saved["state"].get(name)
            if known and parameter.requires_grad:
                self.optimizer.state[parameter] = {key: _like(key, value, parameter) for key, value in known.items()}
        if same_phase:
            for group, values in zip(self.optimizer.param_groups, saved["groups"], strict=True):
                group.update(values)


def _like(key: str, value: Any, parameter: Tensor) -> Any:
    if not isinstance(value, Tensor):
        return value
    # torch keeps the count of steps on the CPU; momenta lie beside their parameter.
    return value.clone() if key == "step" else value.to(parameter.device, copy=True)
