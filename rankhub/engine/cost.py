"""What a run will do and cost, measured by a trial step on copies before it starts."""

import copy
import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch import Tensor

from rankhub.catalog.blame import called, during
from rankhub.engine.feed import Feed
from rankhub.engine.learner import Learner, ScheduledOptimizer, StepInfo, StreamBatch
from rankhub.engine.network import has_batch_statistics
from rankhub.engine.parts import Parts
from rankhub.engine.plan import PhasePlan
from rankhub.engine.source import NetworkForward
from rankhub.engine.step import take_step
from rankhub.engine.training import new_learner, new_optimizer, stream_batch
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one step."""

    seconds: float  # views included
    memory: int  # bytes that training holds at its peak, beside the data


@dataclass(frozen=True, slots=True)
class RunPlanned:
    """A run that is about to start, or to go on.

    Attributes:
        name: The recipe's.
        parts: All that it names, built.
        costs: Of one step of each of ``parts.plans``; empty if not measured.
        mixing: Those of them in which the network mixes the views of a (micro-)batch by its statistics.
    """

    name: str
    parts: Parts
    costs: Sequence[Cost]
    mixing: Sequence[PhasePlan]

    @property
    def seconds(self) -> float:
        """Of training as it is expected, without evaluation; 0 if not measured."""
        return sum(cost.seconds * plan.steps for cost, plan in zip(self.costs, self.parts.plans, strict=False))


def planned(parts: Parts, name: str, *, measure: bool) -> RunPlanned:
    """What a run will do, and if wanted what it will cost by trial steps."""
    costs = [trial_cost(parts, plan) for plan in parts.plans if measure]
    if measure:
        with during("before training"):
            forward = NetworkForward(copy.deepcopy(parts.network), parts.compute)
            for guard in parts.assembly.catalog.guards:
                guard.answered(parts.predict, parts.datasets.values(), forward, parts.compute.device)
    mixing = [plan for plan in parts.plans if has_batch_statistics(parts.network, plan.phase.freeze)]
    return RunPlanned(name, parts, costs, mixing)


def trial_cost(parts: Parts, plan: PhasePlan) -> Cost:
    """The cost of one step of a phase: the second of two, on copies of network, losses and optimizer.

    In the first all that takes part is held to its contract.
    """
    compute, cuda = parts.compute, parts.compute.device.type == "cuda"
    network, objectives = copy.deepcopy((parts.network, parts.objectives))
    twin = dataclasses.replace(parts, network=network, objectives=objectives)
    learner, optimizer = new_learner(twin), new_optimizer(twin, plan)
    saved: dict[int, int] = {}  # what autograd keeps for the backward pass: storage -> bytes
    batches: dict[str, StreamBatch] = {}

    def step(first: bool) -> None:
        batches.clear()
        for name in plan.streams if first else plan.active(0):
            feed = parts.feeds[plan.phase.name, name]
            feed, at = feed.guarded() if first else feed, feed.in_epoch(0)
            fetched = feed.fetch(at).to(compute.device)
            batches[name] = stream_batch(twin, plan, name, feed.chain.on_device(fetched, at.epoch))
        if first:
            _before(learner, optimizer, plan, batches)
        take_step(learner, batches, optimizer, StepInfo(plan.clock_at(0)))

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.random.fork_rng(devices=[compute.device] if cuda else []):
        if cuda:
            torch.cuda.reset_peak_memory_stats(compute.device)
        with during(f"trial step of phase {plan.phase.name!r}"), learner.thorough():
            with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
                step(first=True)
            for guard in learner.guards:
                guard.optimized(optimizer.optimizer)
            for name, portion in batches.items():
                _after(learner, parts.feeds[plan.phase.name, name].guarded(), portion)
        compute.synchronize()
        start = time.perf_counter()
        step(first=False)
        compute.synchronize()
        seconds = time.perf_counter() - start
    if cuda:
        return Cost(seconds, torch.cuda.max_memory_allocated(compute.device))
    kept: list[Any] = [tensor for each in learner.networks for tensor in each.state_dict().values()]
    for parameter in optimizer.parameters():  # what stays between steps
        kept += [parameter.grad, *optimizer.optimizer.state[parameter].values()]
    return Cost(seconds, sum(saved.values()) + sum(one.nbytes for one in kept if isinstance(one, Tensor)))


def _before(
    learner: Learner, optimizer: ScheduledOptimizer, plan: PhasePlan, portions: Mapping[str, StreamBatch]
) -> None:
    """Let guards look at the schedules of a phase over its whole length, and at what the losses count."""
    objectives = [(one, portion.batch) for portion in portions.values() for one in portion.objectives]
    weights = [weight for objective, _ in objectives for weight in objective.weights]
    ranges: dict[tuple[float, float], list[Any]] = {
        (0.0, inf): [optimizer.schedule, optimizer.numbers.get("lr")],
        (0.0, 1.0): [learner.decay],
        (-inf, inf): [*weights, *optimizer.numbers.values()],
    }
    for (low, high), numbers in ranges.items():
        for schedule in (number for number in numbers if isinstance(number, Schedule)):
            for guard in learner.guards:
                guard.scheduled(schedule, plan.clock_at(0), low, high)
    for objective, batch in objectives:
        called(learner.guards, objective.loss, objective.loss.count, batch.target)


def _after(learner: Learner, feed: Feed, portion: StreamBatch) -> None:
    """Let guards look at whether a stream's views are pure, and its losses the sums that they announce."""
    target, network, chain, epoch = portion.batch.target, learner.network, feed.chain, feed.in_epoch(0).epoch

    def alone(index: int) -> Batch:
        views = chain.batch([feed.dataset[index]], epoch, feed.dataset.label)
        return chain.on_device(views.to(learner.compute.device), epoch)

    for guard in learner.guards:
        guard.drawn(feed.dataset, chain.steps, portion.batch, alone)
    images = [learner.compute.images(stack) for stack in portion.batch.images]
    for objective in portion.objectives:
        with torch.no_grad(), learner.compute.autocast():
            outputs = objective.pick(network(images, [objective.head]))
        for guard in learner.guards:
            guard.summed(objective.loss, outputs, target, learner.average is not None and learner.average.teaches)
