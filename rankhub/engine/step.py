"""One training step: views, outputs, losses, gradient, and the optimizer's move."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd import backward

from rankhub.catalog.blame import title_of
from rankhub.engine.device import Compute
from rankhub.engine.learner import Learner, ScheduledOptimizer, StepInfo, StreamBatch
from rankhub.engine.network import Network, Outputs, train_mode
from rankhub.engine.objectives import Objective, Setting, Weighed, counts_of, heads_of, weigh
from rankhub.engine.wide import Gathering, Micro, assembled, buffers_kept, leaf, split_by_sample, used_of
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.draws import seeded
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.guard import BrokenStep
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.processes import Backward
from rankhub.interfaces.schedule import value_at
from rankhub.interfaces.tensors import sent

Note = Callable[[Weighed], None]
"""Told the values of objectives, a micro-batch at a time."""


class LossNotFiniteError(UserError):
    """A loss or the gradient became infinite or NaN; the run stops, and no checkpoint has what came of it."""


@dataclass(slots=True)
class Stepped:
    """Losses and diagnostics of one step, which lie on the device until :func:`read`."""

    info: StepInfo
    losses: dict[str, Tensor]  # objective -> mean loss; ``loss``: weighted total; ``gradient``: norm before clipping
    parts: dict[str, Tensor]  # diagnostics, when they were asked for
    views: int  # that passed the network, on all processes
    rate: float  # learning rate
    overflows: bool  # whether gradients may, which a scaler passes over and does anew
    numbers: dict[str, float] = field(default_factory=dict)  # losses and parts, once they were read

    @property
    def broken(self) -> str | None:
        """What is not finite of what was read, in words."""
        for name in self.losses:
            if not math.isfinite(self.numbers[name]) and not (self.overflows and name == "gradient"):
                return f"the {'' if name == 'gradient' else 'loss of objective '}{name} is {self.numbers[name]}"
        return None


def read(steps: Sequence[Stepped]) -> None:
    """Read the numbers of steps, waiting for the device once."""
    unread = [one for one in steps if not one.numbers]
    found = [one.losses | one.parts for one in unread]
    if not found:
        return
    device = found[0]["loss"].device
    flat = torch.stack([sent(value, device).double() for values in found for value in values.values()])
    numbers = iter(flat.tolist())
    for one, values in zip(unread, found, strict=True):
        one.numbers = dict(zip(values, numbers, strict=False))


def take_step(
    learner: Learner, portions: Mapping[str, StreamBatch], optimizer: ScheduledOptimizer, info: StepInfo
) -> Stepped:
    """Do one optimizer step on the sum of the losses of the streams' batches.

    Raises:
        LossNotFiniteError: A loss or the gradient is not finite, ``info.at_once`` seen; the weights are as before.
    """
    train_mode(learner.network)
    if learner.average is not None:
        learner.average.network.train(learner.average.teaches)  # an evaluation may have come between
    rate = optimizer.set(info.clock)
    optimizer.optimizer.zero_grad(set_to_none=True)
    losses: dict[str, Tensor] = {}
    parts: dict[str, Tensor] = {}

    def note(weighed: Weighed) -> None:
        for name, value in {**weighed.values, "loss": weighed.total.detach()}.items():
            losses[name] = losses.get(name, torch.zeros_like(value)) + value
        parts.update(weighed.parts)

    moved, last = set(optimizer.parameters()), list(portions)[-1]
    closing = learner.processes.last_backward([one for one in learner.network.parameters() if one in moved])
    for stream, portion in portions.items():
        with learner.statistics(learn=portion.statistics):
            _pass_views(learner, stream, portion, info, note, closing if stream == last else backward)
    if learner.processes.count > 1:
        _add_up(learner, losses, parts, info.log)
    losses["loss"] = losses.pop("loss")  # so that a message names the objective
    scaler, overflows = learner.scaler, learner.scaler.is_enabled()
    if learner.clip is not None:
        scaler.unscale_(optimizer.optimizer)
    if learner.clip is not None or not overflows:
        losses["gradient"] = _norm(optimizer)
    views = sum(len(portion.batch) for portion in portions.values()) * learner.processes.count
    stepped = Stepped(info, losses, parts, views, rate, overflows)
    if info.at_once:
        read([stepped])
        if stepped.broken is not None:
            raise _not_finite(learner, portions, info, stepped.broken)
    if learner.clip is not None:
        torch.nn.utils.clip_grads_with_norm_(optimizer.parameters(), learner.clip, losses["gradient"])
    scaler.step(optimizer.optimizer)
    scaler.update()
    if learner.average is not None:
        learner.average.update(learner.network, value_at(learner.decay, info.clock))
    for loss in (module for module in learner.network.losses.modules() if isinstance(module, Loss)):
        loss.after_step()
    return stepped


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


def _norm(optimizer: ScheduledOptimizer) -> Tensor:
    """Of the gradient, as a number like the losses."""
    gradients = [parameter.grad for parameter in optimizer.parameters() if parameter.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)


def _not_finite(learner: Learner, portions: Mapping[str, StreamBatch], info: StepInfo, said: str) -> LossNotFiniteError:
    """The error of a step whose loss or gradient, as ``said``, is not finite; guards look where that first arose."""

    def again() -> None:
        with learner.thorough():
            for stream, portion in portions.items():
                _pass_views(learner, stream, portion, info, lambda weighed: None)

    objectives = [(stream, one) for stream, portion in portions.items() for one in portion.objectives]
    broken = BrokenStep(
        network=learner.network,
        clock=info.clock,
        batches={stream: portion.batch for stream, portion in portions.items()},
        losses=[(one.loss, stream) for stream, one in objectives],
        weights={one.name: one.weights for _, one in objectives},
        again=again,
        title=lambda cls: title_of(cls, learner.catalog),
    )
    with buffers_kept(*learner.networks):
        found = filter(None, (guard.not_finite(broken) for guard in learner.guards))
        where, advice = next(found, ("", "lower the learning rate, set clip_grad, or use precision: fp32"))
    return LossNotFiniteError(
        f"{said} at step {info.number}{where and f': {where}'}; the weights were not changed by it. "
        f"Last good checkpoint: {info.last_good}. {advice[0].upper()}{advice[1:]}"
    )


def _pass_views(
    learner: Learner, stream: str, portion: StreamBatch, info: StepInfo, note: Note, closing: Backward = backward
) -> None:
    """Add the gradient of all objectives of a stream to the parameters'; ``note`` is told their values.

    Each micro-batch passes by itself where every loss is a sum over its samples or groups, or one process has the whole
    batch; else, where a loss depends on views that micro-batches or processes share, all outputs come first.
    ``closing`` does the last backward pass.
    """
    micro = split_by_sample(portion.batch, portion.accumulate)
    views = _StreamPass(learner, stream, portion, micro, info, note, closing)
    wide = [objective for objective in portion.objectives if objective.loss.scope == "batch"]
    if wide and (learner.processes.count > 1 or portion.accumulate > 1):
        views.gathered(wide)
    else:
        views.plain()


@dataclass(frozen=True, slots=True)
class _StreamPass:
    """Forward and backward passes of one stream's views in a step, through the network and its teacher."""

    learner: Learner
    stream: str
    portion: StreamBatch
    micro: Sequence[Micro]  # the micro-batches in which they pass
    info: StepInfo
    note: Note
    closing: Backward  # does the last backward pass

    def plain(self) -> None:
        """Each micro-batch through the network and back by itself."""
        objectives = self.portion.objectives
        setting = self._setting(objectives)
        for number, part in enumerate(self.micro):
            outputs, teacher = self._forward(number), self._teacher(number)
            self._draw_as("loss")
            total = self._total(weigh(objectives, outputs, teacher, part.batch.target, setting))
            (self.closing if part is self.micro[-1] else backward)([total])

    def gathered(self, wide: Sequence[Objective]) -> None:
        """All views to their outputs, the ``wide`` losses on all of these together, then each micro-batch back.

        See :mod:`rankhub.engine.wide` for the method.
        """
        narrow = [objective for objective in self.portion.objectives if objective not in wide]
        setting = self._setting(narrow)
        kept, taught = self._embed(wide)
        gradients = self._gradients(wide, kept, taught)
        for number, part in enumerate(self.micro):
            outputs = kept[0] if len(self.micro) == 1 else self._forward(number)
            used = {key: value for key, value in used_of(outputs, wide).items() if value.requires_grad}
            tensors = list(used.values())
            starts: list[Tensor | None] = [
                gradients[key][sent(part.rows, value.device)].to(value.dtype) for key, value in used.items()
            ]
            if narrow:
                tensors.append(self._total(weigh(narrow, outputs, taught[number], part.batch.target, setting)))
                starts.append(None)
            (self.closing if part is self.micro[-1] else backward)(tensors, starts)

    def _embed(self, wide: Sequence[Objective]) -> tuple[list[Outputs], list[Outputs | None]]:
        """The outputs of every micro-batch, with a graph where there is only one, and the teacher's."""
        if len(self.micro) == 1:
            return [self._forward(0)], [self._teacher(0)]
        network = self.learner.network
        kept: list[Outputs] = []
        taught: list[Outputs | None] = []
        with torch.no_grad(), buffers_kept(network.backbone, network.heads):
            for number in range(len(self.micro)):
                kept.append(used_of(self._forward(number), wide))
                taught.append(self._teacher(number))
        return kept, taught

    def _gradients(
        self, wide: Sequence[Objective], kept: Sequence[Outputs], taught: Sequence[Outputs | None]
    ) -> Outputs:
        """The gradient of the batch-wide objectives at this process's outputs."""
        processes = self.learner.processes
        gathering = Gathering.of(self.portion.batch, processes)

        def everywhere(outputs: Sequence[Outputs]) -> Outputs:
            rows = [part.rows for part in self.micro]
            local = assembled([(some, used_of(found, wide)) for some, found in zip(rows, outputs, strict=True)])
            return {key: gathering.rows(value) for key, value in local.items()}

        leaves = {key: leaf(value) for key, value in everywhere(kept).items()}
        known = [outputs for outputs in taught if outputs is not None]
        teacher = everywhere(known) if known else None
        target = gathering.target(self.portion.batch.target)
        self._draw_as("loss")
        counts = counts_of(wide, target)
        setting = Setting(self.info.clock, self.info.log, counts, gathering.queries, processes.count)
        backward(self._total(weigh(wide, leaves, teacher, target, setting)))
        return gathering.gradient(leaves)

    def _setting(self, summed: Sequence[Objective]) -> Setting:
        """What objectives that are sums over samples or groups share, with their global counts."""
        counts = counts_of(summed, self.portion.batch.target)
        if counts and self.learner.processes.count > 1:
            added = self.learner.processes.sum(torch.stack(list(counts.values())))
            counts = dict(zip(counts, added, strict=True))
        return Setting(self.info.clock, self.info.log, counts)

    def _forward(self, number: int) -> Outputs:
        """The network's outputs on a micro-batch; the same each time that it is asked in a step."""
        self._draw_as(f"{self.learner.processes.rank}/{number}")
        images = [self.learner.compute.images(stack) for stack in self.micro[number].batch.images]
        with self.learner.compute.autocast():
            outputs: Outputs = self.learner.network(images, heads_of(self.portion.objectives))
        return outputs

    def _teacher(self, number: int) -> Outputs | None:
        """The teacher's outputs on a micro-batch; None without a teacher."""
        average = self.learner.average
        if average is None or not average.teaches:
            return None
        batch, objectives = self.micro[number].batch, self.portion.objectives
        return teacher_outputs(average.network, self.learner.compute, batch, objectives)

    def _draw_as(self, what: str) -> None:
        """Seed torch's generators for one purpose in this step, so that a second pass draws what the first one drew."""
        torch.manual_seed(seeded(self.learner.seed, f"step {self.info.number}/{self.stream}/{what}"))

    def _total(self, weighed: Weighed) -> Tensor:
        """What a backward pass starts from: the loss, of which ``note`` is told, times the factor of fp16's scaler."""
        self.note(weighed)
        scaled: Tensor = self.learner.scaler.scale(weighed.total)
        return scaled


@torch.no_grad()
def teacher_outputs(teacher: Network, compute: Compute, batch: Batch, objectives: Sequence[Objective]) -> Outputs:
    """What a teacher, in training mode, says of the views of a batch.

    It sees only the stacks that hold a view which some loss asks for (the large crops); the rows of the others are 0.
    """
    lengths = [len(stack) for stack in batch.images]
    limits = [objective.loss.teacher_views for objective in objectives]
    most = max((limit for limit in limits if limit is not None), default=0)
    every = len(lengths) == 1 or None in limits
    wanted = [every or bool((views < most).any()) for views in torch.split(batch.target.on_cpu.view, lengths)]
    images = [compute.images(stack) for stack, seen in zip(batch.images, wanted, strict=True) if seen]
    with compute.autocast():
        outputs: Outputs = teacher(images, heads_of(objectives))
    if all(wanted):
        return outputs
    rows = torch.tensor(wanted).repeat_interleave(torch.tensor(lengths)).nonzero().flatten()

    def spread(value: Tensor) -> Tensor:
        return value.new_zeros((len(batch), *value.shape[1:])).index_copy_(0, sent(rows, value.device), value)

    return {name: spread(value) for name, value in outputs.items()}
