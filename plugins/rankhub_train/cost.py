"""What a run will cost, measured by a trial step of each phase on copies; guards look at all that takes part in it."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any

import torch
from torch import Tensor

from rankhub import (
    Cost,
    NetworkForward,
    Parts,
    StepInfo,
    StreamBatch,
    called,
    during,
    new_learner,
    new_optimizer,
    stream_batch,
    take_step,
)
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.schedule import Schedule
from rankhub_train.trial import TrialGuard


def wait_for(device: torch.device) -> None:
    """Wait for a device, so that a clock read next means something."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Trial:
    """A phase at its first step, on copies of network, losses and optimizer.

    Attributes:
        plan: The phase.
        parts: Those of the run, with copies of what trains.
        learner: What trains them.
        optimizer: What moves them.
    """

    def __init__(self, parts: Parts, number: int) -> None:
        network, objectives = copy.deepcopy((parts.network, parts.objectives))
        self.plan, self.parts = parts.plans[number], replace(parts, network=network, objectives=objectives)
        self.learner, self.optimizer = new_learner(self.parts), new_optimizer(self.parts, self.plan)

    def batches(self, streams: Iterable[str], *, guarded: bool = False) -> dict[str, StreamBatch]:
        """The first batch of each of some streams, on the device; ``guarded``: held to the contracts."""
        found = {}
        for name in streams:
            feed = self.parts.feeds[self.plan.phase.name, name]
            feed, at = feed.guarded() if guarded else feed, feed.in_epoch(0)
            batch = feed.chain.on_device(feed.fetch(at).to(self.learner.compute.device), at.epoch)
            found[name] = stream_batch(self.parts, self.plan, name, batch)
        return found

    def step(self, batches: Mapping[str, StreamBatch]) -> None:
        """Do a step with these batches."""
        take_step(self.learner, batches, self.optimizer, StepInfo(self.plan.clock_at(0)))


def costs(parts: Parts) -> Iterator[Cost]:
    """The cost of a step of each phase; a component that breaks its contract raises."""
    for number in range(len(parts.plans)):
        yield trial_cost(parts, number)
    with during("before training"):
        forward = NetworkForward(copy.deepcopy(parts.network), parts.compute)
        for guard in _guards(parts):
            guard.answered(parts.predict, parts.datasets.values(), forward, parts.compute.device)


def _guards(parts: Parts) -> list[TrialGuard]:
    return [guard for guard in parts.assembly.catalog.guards if isinstance(guard, TrialGuard)]


def trial_cost(parts: Parts, number: int) -> Cost:
    """The cost of one step of a phase: the second of two, on copies of network, losses and optimizer.

    In the first all that takes part is held to its contract.
    """
    compute, plan, trial = parts.compute, parts.plans[number], Trial(parts, number)
    cuda, learner, optimizer = compute.device.type == "cuda", trial.learner, trial.optimizer
    saved: dict[int, int] = {}  # what autograd keeps for the backward pass: storage -> bytes

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.random.fork_rng(devices=[compute.device] if cuda else []):
        if cuda:
            torch.cuda.reset_peak_memory_stats(compute.device)
        with during(f"trial step of phase {plan.phase.name!r}"), learner.thorough():
            with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
                batches = trial.batches(plan.streams, guarded=True)
                _before(trial, batches)
                trial.step(batches)
            for guard in _guards(parts):
                guard.optimized(optimizer.optimizer)
            for name, portion in batches.items():
                _after(trial, name, portion)
            del batches
        wait_for(compute.device)
        start = time.perf_counter()
        trial.step(trial.batches(plan.active(0)))
        wait_for(compute.device)
        seconds = time.perf_counter() - start
    if cuda:
        return Cost(seconds, torch.cuda.max_memory_allocated(compute.device))
    kept: list[Any] = [tensor for each in learner.networks for tensor in each.state_dict().values()]
    for parameter in optimizer.parameters():  # what stays between steps
        kept += [parameter.grad, *optimizer.optimizer.state[parameter].values()]
    return Cost(seconds, sum(saved.values()) + sum(one.nbytes for one in kept if isinstance(one, Tensor)))


def _before(trial: Trial, portions: Mapping[str, StreamBatch]) -> None:
    """Let guards look at the schedules of a phase over its whole length, and at what the losses count."""
    learner, optimizer = trial.learner, trial.optimizer
    objectives = [(one, portion.batch) for portion in portions.values() for one in portion.objectives]
    weights = [weight for objective, _ in objectives for weight in objective.weights]
    ranges: dict[tuple[float, float], list[Any]] = {
        (0.0, inf): [optimizer.schedule, optimizer.numbers.get("lr")],
        (0.0, 1.0): [learner.decay],
        (-inf, inf): [*weights, *optimizer.numbers.values()],
    }
    for (low, high), numbers in ranges.items():
        for schedule in (number for number in numbers if isinstance(number, Schedule)):
            for guard in _guards(trial.parts):
                guard.scheduled(schedule, trial.plan.clock_at(0), low, high)
    for objective, batch in objectives:
        called(learner.guards, objective.loss, objective.loss.count, batch.target)


def _after(trial: Trial, stream: str, portion: StreamBatch) -> None:
    """Let guards look at whether a stream's views are pure, and its losses the sums that they announce."""
    learner, feed = trial.learner, trial.parts.feeds[trial.plan.phase.name, stream].guarded()
    target, network, chain, epoch = portion.batch.target, learner.network, feed.chain, feed.in_epoch(0).epoch

    def alone(index: int) -> Batch:
        views = chain.batch([feed.dataset[index]], epoch, feed.dataset.label)
        return chain.on_device(views.to(learner.compute.device), epoch)

    guards = _guards(trial.parts)
    for guard in guards:
        guard.drawn(feed.dataset, chain.steps, portion.batch, alone)
    images = [learner.compute.images(stack) for stack in portion.batch.images]
    for objective in portion.objectives:
        with torch.no_grad(), learner.compute.autocast():
            outputs = objective.pick(network(images, [objective.head]))
        for guard in guards:
            guard.summed(objective.loss, outputs, target, learner.average is not None and learner.average.teaches)
