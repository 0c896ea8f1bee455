"""What a run will do, and a phase's first step on copies, by which plugins measure what it will cost."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rankhub.engine.learner import StepInfo, StreamBatch
from rankhub.engine.parts import Parts
from rankhub.engine.plan import PhasePlan
from rankhub.engine.step import take_step
from rankhub.engine.training import new_learner, new_optimizer, stream_batch


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
    """

    name: str
    parts: Parts
    costs: Sequence[Cost] = ()

    @property
    def seconds(self) -> float:
        """Of training as it is expected, without evaluation; 0 if not measured."""
        return sum(cost.seconds * plan.steps for cost, plan in zip(self.costs, self.parts.plans, strict=False))


class Trial:
    """A phase at its first step, on copies of network, losses and optimizer.

    Attributes:
        plan: The phase.
        parts: Those of the run, with copies of what trains.
        learner: What trains them.
        optimizer: What moves them.
    """

    def __init__(self, parts: Parts, plan: PhasePlan) -> None:
        network, objectives = copy.deepcopy((parts.network, parts.objectives))
        self.plan, self.parts = plan, replace(parts, network=network, objectives=objectives)
        self.learner, self.optimizer = new_learner(self.parts), new_optimizer(self.parts, plan)

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
