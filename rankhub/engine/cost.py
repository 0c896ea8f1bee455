"""What a run will do and cost, measured by a trial step on copies and said before it starts."""

import copy
import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from rich.filesize import decimal
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
from rankhub.interfaces.talk import human_seconds


class Lines(dict[str, str]):
    """What is said of a run before it starts, line by line.

    Attributes:
        seconds: Of training as it is expected, without evaluation; 0 = not measured.
    """

    seconds: float = 0.0


def describe(parts: Parts, name: str, *, measure: bool) -> Lines:
    """Lines for the user: device, data, network, steps of phases; if wanted, memory and time from trial steps."""
    count = sum(parameter.numel() for parameter in parts.network.parameters())
    lines = Lines(
        recipe=f"{name}, seed {parts.recipe.seed}",
        device=parts.compute.describe(),
        data=", ".join(f"{data} {len(dataset):,} images" for data, dataset in parts.datasets.items()),
        network=f"{count / 1e6:.2f} M parameters",
    )
    for plan in parts.plans:
        lines[f"phase {plan.phase.name}"] = _phase(parts, plan)
    if measure:
        costs = [trial_cost(parts, plan) for plan in parts.plans]
        with during("before training"):
            forward = NetworkForward(copy.deepcopy(parts.network), parts.compute)
            for guard in parts.assembly.catalog.guards:
                guard.answered(parts.predict, parts.datasets.values(), forward, parts.compute.device)
        lines.seconds = sum(cost.seconds * plan.steps for cost, plan in zip(costs, parts.plans, strict=True))
        lines["expected"] = (
            f"{decimal(max(cost.memory for cost in costs))} for training, beside data and libraries; "
            f"{human_seconds(lines.seconds)} of training (from a trial step)"
        )
    if parts.processes.count > 1:
        lines["processes"] = f"{parts.processes.count}, each with an equal share of every batch"
    mixing = [plan for plan in parts.plans if has_batch_statistics(parts.network, plan.phase.freeze)]
    accumulates = any(stream.accumulate > 1 for plan in mixing for stream in plan.streams.values())
    if mixing and (accumulates or parts.processes.count > 1):
        over = "a micro-batch" if accumulates else "the share of a process"
        lines["batch norm"] = (
            f"with BatchNorm {over} is another function than the whole batch: the gradient is not that of one process "
            "and one batch; networks with GroupNorm or frozen norms, or on several processes SyncBatchNorm, are free "
            "of it"
        )
    heard = {plan.phase.name: [one for one in plan.streams.values() if one.statistics] for plan in mixing}
    several = [name for name, streams in heard.items() if len(streams) > 1]
    if several:
        lines["streams"] = (
            f"with BatchNorm, phase {several[0]} leaves statistics that mix the views of its streams, and images are "
            "scored with them; let one stream set them (`statistics: false` at the others), or take a network with "
            "GroupNorm, LayerNorm or frozen norms"
        )
    return lines


def _phase(parts: Parts, plan: PhasePlan) -> str:
    streams = []
    for name, stream in plan.streams.items():
        views = parts.feeds[plan.phase.name, name].chain.views
        sizes = " + ".join(f"{count}" + (f" of {side} px" if side else "") for count, side in views.sizes)
        micro = f" in {stream.accumulate} micro-batches" if stream.accumulate > 1 else ""
        total = stream.batch_size * views.views
        streams.append(f"{name}: {stream.batch_size} images x {sizes} = {total} views a step{micro}")
    epochs = f" ({plan.phase.epochs} epochs of {plan.steps_per_epoch})" if plan.phase.epochs is not None else ""
    return f"{plan.steps:,} steps{epochs}; " + "; ".join(streams)


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one step."""

    seconds: float  # views included
    memory: int  # bytes that training holds at its peak, beside the data


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
