"""What training changes (network, average, optimizer), and the arguments of one step."""

import contextlib
import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.hints import KeyPath
from rankhub.engine import checkpoint
from rankhub.engine.device import Compute
from rankhub.engine.network import Network, load_weights
from rankhub.engine.objectives import Objective
from rankhub.engine.plan import PhasePlan
from rankhub.engine.wide import buffers_kept
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.errors import ComponentError
from rankhub.interfaces.guard import Guard
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.processes import ALONE, Processes
from rankhub.interfaces.schedule import Clock, Schedule, value_at
from rankhub.recipe.assembly import Assembly
from rankhub.recipe.schema import matching


class WeightAverage:
    """A copy of a network whose weights follow it: ``w <- decay * w + (1 - decay) * network``.

    One that ``teaches`` runs on training batches, in training mode, and gathers its own batch statistics; otherwise the
    statistics are averaged as the weights are.
    """

    def __init__(self, network: Network, teaches: bool) -> None:
        self.network = copy.deepcopy(network)
        self.network.requires_grad_(False)
        self.teaches = teaches
        self.network.train(teaches)

    @torch.no_grad()
    def update(self, network: Network, decay: float) -> None:
        """Follow ``network`` by one step."""
        ours: list[Tensor] = list(self.network.parameters())
        theirs: list[Tensor] = [parameter.detach() for parameter in network.parameters()]
        torch._foreach_lerp_(ours, theirs, 1.0 - decay)
        if self.teaches:
            return
        for mine, other in zip(self.network.buffers(), network.buffers(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(other, 1.0 - decay)
            else:
                mine.copy_(other)


def parameter_groups(network: Network, plan: PhasePlan) -> list[dict[str, Any]]:
    """Groups of the parameters that a phase trains, in the order of their names.

    A parameter belongs to the phase if it is in the backbone, in a head that an objective of the phase uses, or
    in a loss of its streams. Groups differ in ``vector`` (biases, weights of normalization) and ``lr_scale``.
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
    """An optimizer, and before each step the values of its options that are schedules.

    ``address`` is where the recipe names it; ``schedule`` is a factor on its learning rate.
    """

    def __init__(
        self, assembly: Assembly, address: KeyPath, schedule: Schedule | None, groups: list[dict[str, Any]]
    ) -> None:
        self.schedule = schedule
        self.optimizer: Optimizer = assembly.new(*address, wired=[groups])
        self.numbers: Mapping[str, float | Schedule] = {
            name: value
            for name, value in assembly.options(*address).items()
            if name in self.optimizer.param_groups[0] and isinstance(value, float | Schedule)
        }
        scaled = any(group["lr_scale"] != 1 for group in groups)
        changing = {name for name, value in assembly.options(*address).items() if isinstance(value, Schedule)}
        for name in sorted((changing | ({"lr"} if schedule is not None or scaled else set())) - set(self.numbers)):
            raise ComponentError(self.optimizer, f"has no {name!r} in its groups, so that no schedule can change it")

    def set(self, clock: Clock) -> float:
        """Give every group its numbers for the step about to be done; returns the learning rate."""
        factor = 1.0 if self.schedule is None else self.schedule.value(clock)
        rate = 0.0
        for name, number in self.numbers.items():
            value = value_at(number, clock) * (factor if name == "lr" else 1.0)
            rate = value if name == "lr" else rate
            if not ((name != "lr" or value >= 0) and math.isfinite(value)):
                culprit = number if self.schedule is None or name != "lr" else self.schedule
                raise ComponentError(culprit, f"made {name} {value} at step {clock.step + 1} of {clock.steps}")
            for group in self.optimizer.param_groups:
                group[name] = value * float(group.get(f"{name}_scale", 1.0))
        return rate

    def parameters(self) -> list[torch.nn.Parameter]:
        """All parameters that the optimizer moves."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def state(self, network: Network) -> dict[str, Any]:
        """The optimizer's state by parameter name, and the plain values of its groups."""
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


@dataclass(frozen=True, slots=True)
class StreamBatch:
    """The batch of one stream in a step, and the objectives on it."""

    batch: Batch  # this process's views, on the device
    objectives: Sequence[Objective]  # what is learned from them
    accumulate: int = 1  # micro-batches in which they pass the network
    statistics: bool = True  # whether running statistics learn from them; else they are normalized among themselves


@dataclass(frozen=True, slots=True)
class StepInfo:
    """Which step is being done, and what its messages and logs need."""

    clock: Clock  # where the phase stands
    number: int = 1  # of the step in the run, for messages and random numbers
    log: bool = False  # whether diagnostics are wanted
    last_good: str = "none"  # the last checkpoint, for messages
    at_once: bool = True  # whether its numbers are read, and seen to be finite, before the weights move


@dataclass(slots=True)
class Learner:
    """The network in training, its moving average, and how they compute."""

    network: Network
    average: WeightAverage | None
    decay: float | Schedule  # the average's
    compute: Compute
    scaler: torch.amp.GradScaler  # of fp16
    clip: float | None = None  # largest norm of the gradient
    seed: int = 0  # what a network or a loss draws at random in a step is a function of it and of the step
    processes: Processes = ALONE
    strict: bool = False  # whether guards look at all that parts of the networks give
    catalog: Catalog | None = None  # has the guards; None = there are none

    @property
    def networks(self) -> list[Network]:
        """The network, and its average where there is one."""
        return [self.network] if self.average is None else [self.network, self.average.network]

    @property
    def guards(self) -> Sequence[Guard]:
        """They look at the networks."""
        return () if self.catalog is None else self.catalog.guards

    def watch(self) -> None:
        """Let guards look at what is handed to backbone, heads and losses from now on."""
        for network in self.networks:
            losses = (module for module in network.losses.modules() if isinstance(module, Loss))
            for part in (network.backbone, *network.heads.values(), *losses):
                for guard in self.guards:
                    guard.watch(part, lambda: self.strict)

    @contextlib.contextmanager
    def thorough(self, wanted: bool = True) -> Iterator[None]:
        """Let guards look at all that is given, inside."""
        kept, self.strict = self.strict, self.strict or wanted
        try:
            yield
        finally:
            self.strict = kept

    def statistics(self, learn: bool) -> contextlib.AbstractContextManager[None]:
        """Whether running statistics keep what they learn from the views that pass inside."""
        if learn:
            return contextlib.nullcontext()
        return buffers_kept(*(part for network in self.networks for part in (network.backbone, network.heads)))

    def mean_statistics(self) -> None:
        """Give all processes the mean of what each has gathered of its own views, such as BatchNorm's statistics."""
        for network in self.networks:
            held = [*network.backbone.buffers(), *network.heads.buffers()]
            for buffer in filter(torch.is_floating_point, held):
                self.processes.sum(buffer).div_(self.processes.count)

    def state(self, optimizer: ScheduledOptimizer, step: int, facts: Mapping[str, Any]) -> checkpoint.State:
        """The checkpoint's content after ``step`` steps of the run."""
        return checkpoint.State(
            step=step,
            weights=self.network.state_dict(),
            average=None if self.average is None else self.average.network.state_dict(),
            optimizer=optimizer.state(self.network),
            scaler=self.scaler.state_dict(),
            facts=facts,
        )

    def restore(self, state: checkpoint.State, folder: object) -> None:
        """Put weights, average and scaler back; the optimizer follows once its phase is entered. Steps seed torch."""
        load_weights(self.network, state.weights, folder)
        if self.average is not None and state.average is not None:
            load_weights(self.average.network, state.average, folder)
        if state.scaler:
            self.scaler.load_state_dict(dict(state.scaler))
