"""One training step: views, outputs, losses, gradient, and the optimiser's move."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rankhub.engine.average import WeightAverage
from rankhub.engine.device import Compute
from rankhub.engine.groups import Steering
from rankhub.engine.network import Network, Outputs, train_mode
from rankhub.engine.objectives import Goal, Weighed, after_step, check_finite, counts_of, heads_of, weigh
from rankhub.engine.processes import ALONE, Processes
from rankhub.engine.seeds import seeded
from rankhub.engine.teacher import taught_outputs
from rankhub.engine.wide import (
    Gathering,
    Key,
    Micro,
    as_outputs,
    assembled,
    buffers_kept,
    keys_of,
    leaf,
    pick,
    split_by_sample,
)
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.schedule import Clock, Schedule, value_at


@dataclass(slots=True)
class Stepped:
    """What one step did.

    Attributes:
        losses: Objective -> mean loss; ``loss`` is the weighted total.
        parts: Diagnostics, when they were asked for.
        views: Views that passed the network, on all processes.
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
        silent: Collection[str] = (),
    ) -> Stepped:
        """Do one step.

        Args:
            batches: Stream -> this process's views, on the device.
            goals: Stream -> its objectives.
            micro_batches: Stream -> parts in which its batch passes the network.
            steering: The phase's optimiser.
            clock: Where the phase stands.
            number: Number of the step in the run, for messages and random numbers.
            log: Whether diagnostics are wanted.
            last_good: The last checkpoint, for messages.
            silent: Streams from which running statistics do not learn; their views are normalised among themselves.

        Raises:
            LossNotFiniteError: A loss is not finite. The weights are as they were before the step.
            PeerLostError: Another process is gone.
        """
        train_mode(self.network)
        if self.average is not None:
            self.average.network.train(self.average.teaches)  # an evaluation may have come between
        rate = steering.set(clock)
        steering.optimizer.zero_grad(set_to_none=True)
        sums: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}

        def note(weighed: Weighed) -> None:
            for name, value in {**weighed.values, "loss": weighed.total.detach()}.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value
            parts.update(weighed.parts)

        for stream, batch in batches.items():
            micro = split_by_sample(batch, micro_batches[stream])
            with self._statistics(learn=stream not in silent):
                _Pass(self, stream, goals[stream], batch, micro, clock, number, log).run(note)
        self._reduce(sums, parts, steering, log)
        sums["loss"] = sums.pop("loss")  # last, so that a message names the objective
        numbers = check_finite(sums, number, last_good)
        norm = self._move(steering)
        if self.average is not None:
            self.average.update(self.network, value_at(self.decay, clock))
        after_step(self.network)
        shown = {name: float(value) for name, value in parts.items()}
        views = sum(len(batch) for batch in batches.values()) * self.processes.count
        return Stepped(numbers, shown, views, rate, norm)

    def _statistics(self, learn: bool) -> contextlib.AbstractContextManager[None]:
        """Whether running statistics keep what they learn from the views that pass inside."""
        if learn:
            return contextlib.nullcontext()
        networks = [self.network] if self.average is None else [self.network, self.average.network]
        return buffers_kept(*(part for network in networks for part in (network.backbone, network.heads)))

    def mean_statistics(self) -> None:
        """Give all processes the mean of what each has gathered of its own views, such as BatchNorm's statistics."""
        networks = [self.network] if self.average is None else [self.network, self.average.network]
        for network in networks:
            held = [*network.backbone.buffers(), *network.heads.buffers()]
            self.processes.mean_([buffer for buffer in held if buffer.is_floating_point()])

    def _reduce(self, sums: dict[str, Tensor], parts: dict[str, Tensor], steering: Steering, log: bool) -> None:
        """Bring together what the processes have found."""
        if self.processes.count == 1:
            return
        self.processes.sum_gradients(steering.parameters())
        total = self.processes.sum(torch.stack([value.double() for value in sums.values()]))
        sums.update(zip(sums, total, strict=True))
        names = self.processes.from_first(list(parts)) if log else []
        if names:  # a part may be missing where a process had nothing to say
            there = [float(name in parts) for name in names]
            shown = [float(parts.get(name, 0.0)) for name in names]
            added = self.processes.sum(torch.tensor([shown, there], dtype=torch.float64))
            parts.update(zip(names, added[0] / added[1], strict=True))

    def _move(self, steering: Steering) -> float | None:
        norm = None
        if self.clip is not None:
            self.scaler.unscale_(steering.optimizer)
            norm = float(torch.nn.utils.clip_grad_norm_(steering.parameters(), self.clip))
        self.scaler.step(steering.optimizer)
        self.scaler.update()
        return norm


@dataclass(slots=True)
class _Pass:
    """One stream's views through the network and back."""

    learner: Learner
    stream: str
    goals: Sequence[Goal]
    batch: Batch
    micro: Sequence[Micro]
    clock: Clock
    number: int
    log: bool

    def run(self, note: Callable[[Weighed], None]) -> None:
        """Add the gradient of all objectives to the parameters'; ``note`` is told their values."""
        shared = self.learner.processes.count > 1 or len(self.micro) > 1
        wide = [goal for goal in self.goals if goal.loss.scope == "batch"] if shared else []
        narrow = [goal for goal in self.goals if goal not in wide]
        counts = self._counts(narrow)
        if not wide:
            for place, part in enumerate(self.micro):
                outputs, taught = self._forward(place), self._teach(place)
                self._draw_as("loss")
                weighed = weigh(narrow, outputs, taught, part.batch.target, counts, self.clock, self.log)
                note(weighed)
                torch.autograd.backward(self.learner.scaler.scale(weighed.total))
            return
        keys = keys_of(wide)
        kept, lessons = self._embed(keys)
        gradients = self._wide(wide, keys, kept, lessons, note)
        for place, part in enumerate(self.micro):
            outputs = kept[0] if len(self.micro) == 1 else self._forward(place)
            tensors: list[Tensor] = []
            starts: list[Tensor | None] = []
            for key, value in pick(outputs, keys).items():
                if value.requires_grad:
                    tensors.append(value)
                    starts.append(gradients[key][part.rows.to(value.device)].to(value.dtype))
            if narrow:
                target = part.batch.target
                weighed = weigh(narrow, outputs, lessons[place], target, counts, self.clock, self.log)
                note(weighed)
                tensors.append(self.learner.scaler.scale(weighed.total))
                starts.append(None)
            torch.autograd.backward(tensors, starts)

    def _counts(self, narrow: Sequence[Goal]) -> dict[str, Tensor]:
        """The global counts of losses that are sums over samples or groups."""
        counts = counts_of(narrow, self.batch.target)
        if counts and self.learner.processes.count > 1:
            summed = self.learner.processes.sum(torch.stack(list(counts.values())))
            counts = dict(zip(counts, summed, strict=True))
        return counts

    def _embed(self, keys: Sequence[Key]) -> tuple[list[Outputs], list[Outputs | None]]:
        """The outputs of every micro-batch, with a graph where there is only one, and the teacher's."""
        if len(self.micro) == 1:
            return [self._forward(0)], [self._teach(0)]
        network = self.learner.network
        kept: list[Outputs] = []
        lessons: list[Outputs | None] = []
        with torch.no_grad(), buffers_kept(network.backbone, network.heads):
            for place in range(len(self.micro)):
                kept.append(as_outputs(pick(self._forward(place), keys)))
                lessons.append(self._teach(place))
        return kept, lessons

    def _wide(
        self,
        wide: Sequence[Goal],
        keys: Sequence[Key],
        kept: Sequence[Outputs],
        lessons: Sequence[Outputs | None],
        note: Callable[[Weighed], None],
    ) -> dict[Key, Tensor]:
        """The gradient of the batch-wide objectives at this process's outputs."""
        gathering = Gathering.of(self.batch, self.learner.processes)

        def everywhere(outputs: Sequence[Outputs]) -> dict[Key, Tensor]:
            rows = [part.rows for part in self.micro]
            local = assembled([(some, pick(found, keys)) for some, found in zip(rows, outputs, strict=True)])
            return {key: gathering.rows(value) for key, value in local.items()}

        leaves = {key: leaf(value) for key, value in everywhere(kept).items()}
        known = [lesson for lesson in lessons if lesson is not None]
        taught = as_outputs(everywhere(known)) if known else None
        target = gathering.target(self.batch.target)
        self._draw_as("loss")
        weighed = weigh(
            wide,
            as_outputs(leaves),
            taught,
            target,
            counts_of(wide, target),
            self.clock,
            self.log,
            gathering.queries,
            self.learner.processes.count,
        )
        note(weighed)
        torch.autograd.backward(self.learner.scaler.scale(weighed.total))
        return gathering.gradient(leaves)

    def _forward(self, place: int) -> Outputs:
        """The network's outputs on a micro-batch; the same each time that it is asked in a step."""
        self._draw_as(f"{self.learner.processes.rank}/{place}")
        images = [self.learner.compute.images(stack) for stack in self.micro[place].batch.images]
        with self.learner.compute.autocast():
            outputs: Outputs = self.learner.network(images, heads_of(self.goals))
        return outputs

    def _teach(self, place: int) -> Outputs | None:
        average = self.learner.average
        if average is None or not average.teaches:
            return None
        return taught_outputs(average.network, self.learner.compute, self.micro[place].batch, self.goals)

    def _draw_as(self, what: str) -> None:
        """Seed torch's generators for one purpose in this step, so that a second pass draws what the first one drew."""
        torch.manual_seed(seeded(self.learner.seed, f"step {self.number}/{self.stream}/{what}"))
