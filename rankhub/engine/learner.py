"""What training changes, and what it is given for a step."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rankhub.engine.average import WeightAverage
from rankhub.engine.device import Compute
from rankhub.engine.network import Network
from rankhub.engine.objectives import Objective
from rankhub.engine.processes import ALONE, Processes
from rankhub.engine.wide import buffers_kept
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.schedule import Clock, Schedule


@dataclass(frozen=True, slots=True)
class Portion:
    """A stream's part in a step.

    Attributes:
        batch: This process's views, on the device.
        objectives: What is learned from them.
        accumulate: Micro-batches in which they pass the network.
        statistics: Whether running statistics learn from them; else they are normalised among themselves.
    """

    batch: Batch
    objectives: Sequence[Objective]
    accumulate: int = 1
    statistics: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """Which step it is.

    Attributes:
        clock: Where the phase stands.
        number: Number of the step in the run, for messages and random numbers.
        log: Whether diagnostics are wanted.
        last_good: The last checkpoint, for messages.
    """

    clock: Clock
    number: int = 1
    log: bool = False
    last_good: str = "none"


@dataclass(slots=True)
class Learner:
    """The network in training, and what goes with it.

    Attributes:
        network: Trained.
        average: Moving average of its weights, or None.
        decay: The average's decay.
        compute: Device and precision.
        scaler: Of fp16.
        clip: Largest norm of the gradient, or None.
        seed: The recipe's; what a network or a loss draws at random in a step is a function of it and of the step.
        processes: The processes of the run.
    """

    network: Network
    average: WeightAverage | None
    decay: float | Schedule
    compute: Compute
    scaler: torch.amp.GradScaler
    clip: float | None = None
    seed: int = 0
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
