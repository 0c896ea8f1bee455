"""How the views of one stream pass the network and back in a step.

:class:`PlainPass` where every loss is a sum over the samples or groups of a micro-batch, or one process has the whole
batch; :class:`GatheredPass` where a loss depends on a batch that several micro-batches or processes share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rankhub.engine.learner import Learner, Portion, Turn
from rankhub.engine.network import Outputs
from rankhub.engine.objectives import Objective, Setting, Weighed, counts_of, heads_of, weigh
from rankhub.engine.teacher import teacher_outputs
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
from rankhub.interfaces.draws import seeded

Note = Callable[[Weighed], None]
"""Told the values of objectives, a micro-batch at a time."""


@dataclass(frozen=True, slots=True)
class StreamPass:
    """One stream's views in a step, and what the network and its teacher say of them.

    Attributes:
        learner: The network and what goes with it.
        stream: Name of the stream.
        objectives: What is learned.
        batch: This process's views.
        micro: The micro-batches in which they pass.
        turn: Which step it is.
    """

    learner: Learner
    stream: str
    objectives: Sequence[Objective]
    batch: Batch
    micro: Sequence[Micro]
    turn: Turn

    @classmethod
    def of(cls, learner: Learner, stream: str, portion: Portion, turn: Turn) -> StreamPass:
        """Of a stream's part in a step."""
        micro = split_by_sample(portion.batch, portion.accumulate)
        return cls(learner, stream, portion.objectives, portion.batch, micro, turn)

    def setting(self, summed: Sequence[Objective]) -> Setting:
        """What objectives that are sums over samples or groups share, with their global counts."""
        counts = counts_of(summed, self.batch.target)
        if counts and self.learner.processes.count > 1:
            added = self.learner.processes.sum(torch.stack(list(counts.values())))
            counts = dict(zip(counts, added, strict=True))
        return Setting(self.turn.clock, self.turn.log, counts)

    def forward(self, number: int) -> Outputs:
        """The network's outputs on a micro-batch; the same each time that it is asked in a step."""
        self.draw_as(f"{self.learner.processes.rank}/{number}")
        images = [self.learner.compute.images(stack) for stack in self.micro[number].batch.images]
        with self.learner.compute.autocast():
            outputs: Outputs = self.learner.network(images, heads_of(self.objectives))
        return outputs

    def teacher(self, number: int) -> Outputs | None:
        """The teacher's outputs on a micro-batch; None without a teacher."""
        average = self.learner.average
        if average is None or not average.teaches:
            return None
        return teacher_outputs(average.network, self.learner.compute, self.micro[number].batch, self.objectives)

    def draw_as(self, what: str) -> None:
        """Seed torch's generators for one purpose in this step, so that a second pass draws what the first one drew."""
        torch.manual_seed(seeded(self.learner.seed, f"step {self.turn.number}/{self.stream}/{what}"))

    def scaled(self, total: Tensor) -> Tensor:
        """A loss as its backward pass starts from it."""
        scaled: Tensor = self.learner.scaler.scale(total)
        return scaled


@dataclass(frozen=True, slots=True)
class PlainPass:
    """Each micro-batch through the network and back by itself."""

    views: StreamPass

    def run(self, note: Note) -> None:
        """Add the gradient of all objectives to the parameters'; ``note`` is told their values."""
        views = self.views
        setting = views.setting(views.objectives)
        for number, part in enumerate(views.micro):
            outputs, teacher = views.forward(number), views.teacher(number)
            views.draw_as("loss")
            weighed = weigh(views.objectives, outputs, teacher, part.batch.target, setting)
            note(weighed)
            torch.autograd.backward(views.scaled(weighed.total))


@dataclass(frozen=True, slots=True)
class GatheredPass:
    """All views to their outputs, the wide losses on all of these together, then each micro-batch back.

    See :mod:`rankhub.engine.wide` for the method.
    """

    views: StreamPass

    def run(self, note: Note) -> None:
        """Add the gradient of all objectives to the parameters'; ``note`` is told their values."""
        views = self.views
        wide = [objective for objective in views.objectives if objective.loss.scope == "batch"]
        narrow = [objective for objective in views.objectives if objective not in wide]
        setting = views.setting(narrow)
        keys = keys_of(wide)
        kept, taught = self._embed(keys)
        gradients = self._gradients(wide, kept, taught, note)
        for number, part in enumerate(views.micro):
            outputs = kept[0] if len(views.micro) == 1 else views.forward(number)
            tensors: list[Tensor] = []
            starts: list[Tensor | None] = []
            for key, value in pick(outputs, keys).items():
                if value.requires_grad:
                    tensors.append(value)
                    starts.append(gradients[key][part.rows.to(value.device)].to(value.dtype))
            if narrow:
                weighed = weigh(narrow, outputs, taught[number], part.batch.target, setting)
                note(weighed)
                tensors.append(views.scaled(weighed.total))
                starts.append(None)
            torch.autograd.backward(tensors, starts)

    def _embed(self, keys: Sequence[Key]) -> tuple[list[Outputs], list[Outputs | None]]:
        """The outputs of every micro-batch, with a graph where there is only one, and the teacher's."""
        views = self.views
        if len(views.micro) == 1:
            return [views.forward(0)], [views.teacher(0)]
        network = views.learner.network
        kept: list[Outputs] = []
        taught: list[Outputs | None] = []
        with torch.no_grad(), buffers_kept(network.backbone, network.heads):
            for number in range(len(views.micro)):
                kept.append(as_outputs(pick(views.forward(number), keys)))
                taught.append(views.teacher(number))
        return kept, taught

    def _gradients(
        self, wide: Sequence[Objective], kept: Sequence[Outputs], taught: Sequence[Outputs | None], note: Note
    ) -> dict[Key, Tensor]:
        """The gradient of the batch-wide objectives at this process's outputs."""
        views, keys = self.views, keys_of(wide)
        processes = views.learner.processes
        gathering = Gathering.of(views.batch, processes)

        def everywhere(outputs: Sequence[Outputs]) -> dict[Key, Tensor]:
            rows = [part.rows for part in views.micro]
            local = assembled([(some, pick(found, keys)) for some, found in zip(rows, outputs, strict=True)])
            return {key: gathering.rows(value) for key, value in local.items()}

        leaves = {key: leaf(value) for key, value in everywhere(kept).items()}
        known = [outputs for outputs in taught if outputs is not None]
        teacher = as_outputs(everywhere(known)) if known else None
        target = gathering.target(views.batch.target)
        views.draw_as("loss")
        turn, counts = views.turn, counts_of(wide, target)
        setting = Setting(turn.clock, turn.log, counts, gathering.queries, processes.count)
        weighed = weigh(wide, as_outputs(leaves), teacher, target, setting)
        note(weighed)
        torch.autograd.backward(views.scaled(weighed.total))
        return gathering.gradient(leaves)
