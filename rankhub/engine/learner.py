"""What training changes, and what it is given for a step."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rankhub.engine import checkpoint
from rankhub.engine.device import Compute
from rankhub.engine.groups import ScheduledOptimizer
from rankhub.engine.network import Network, load_weights
from rankhub.engine.objectives import Objective
from rankhub.engine.processes import ALONE, Processes
from rankhub.engine.wide import buffers_kept
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.schedule import Clock, Schedule


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


@dataclass(frozen=True, slots=True)
class Portion:
    """A stream's part in a step."""

    batch: Batch  # this process's views, on the device
    objectives: Sequence[Objective]  # what is learned from them
    accumulate: int = 1  # micro-batches in which they pass the network
    statistics: bool = True  # whether running statistics learn from them; else they are normalised among themselves


@dataclass(frozen=True, slots=True)
class Turn:
    """Which step it is."""

    clock: Clock  # where the phase stands
    number: int = 1  # of the step in the run, for messages and random numbers
    log: bool = False  # whether diagnostics are wanted
    last_good: str = "none"  # the last checkpoint, for messages


@dataclass(slots=True)
class Learner:
    """The network in training, and what goes with it."""

    network: Network
    average: WeightAverage | None
    decay: float | Schedule  # the average's
    compute: Compute
    scaler: torch.amp.GradScaler  # of fp16
    clip: float | None = None  # largest norm of the gradient
    seed: int = 0  # what a network or a loss draws at random in a step is a function of it and of the step
    processes: Processes = ALONE

    @property
    def networks(self) -> list[Network]:
        """The network, and its average where there is one."""
        return [self.network] if self.average is None else [self.network, self.average.network]

    def statistics(self, learn: bool) -> contextlib.AbstractContextManager[None]:
        """Whether running statistics keep what they learn from the views that pass inside."""
        if learn:
            return contextlib.nullcontext()
        return buffers_kept(*(part for network in self.networks for part in (network.backbone, network.heads)))

    def mean_statistics(self) -> None:
        """Give all processes the mean of what each has gathered of its own views, such as BatchNorm's statistics."""
        for network in self.networks:
            held = [*network.backbone.buffers(), *network.heads.buffers()]
            self.processes.mean_([buffer for buffer in held if buffer.is_floating_point()])

    def state(self, optimizer: ScheduledOptimizer, step: int, facts: Mapping[str, Any]) -> checkpoint.State:
        """All of it after ``step`` steps of the run."""
        return checkpoint.State(
            step=step,
            weights=self.network.state_dict(),
            average=None if self.average is None else self.average.network.state_dict(),
            optimizer=optimizer.state(self.network),
            random=checkpoint.random_state(),
            scaler=self.scaler.state_dict(),
            facts=facts,
        )

    def restore(self, state: checkpoint.State, folder: object) -> None:
        """Put weights, average, scaler and random generators back; the optimiser follows once its phase is entered."""
        load_weights(self.network, state.weights, folder)
        if self.average is not None and state.average is not None:
            load_weights(self.average.network, state.average, folder)
        if state.scaler:
            self.scaler.load_state_dict(dict(state.scaler))
        checkpoint.set_random_state(state.random)
