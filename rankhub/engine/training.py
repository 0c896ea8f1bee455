"""The loop over phases and steps."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from rankhub.catalog.blame import during
from rankhub.engine import checkpoint
from rankhub.engine.checkpoint import Results
from rankhub.engine.feed import EpochPosition
from rankhub.engine.folder import Journal
from rankhub.engine.learner import Learner, ScheduledOptimizer, StepInfo, StreamBatch, WeightAverage, parameter_groups
from rankhub.engine.network import freeze, reset
from rankhub.engine.parts import Parts, build_network
from rankhub.engine.plan import PhasePlan
from rankhub.engine.step import Stepped, take_step
from rankhub.engine.watch import Watchers, view_sheet
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.draws import seeded
from rankhub.interfaces.processes import Interrupt

Status = Literal["done", "stopped"]
Show = Callable[[int, PhasePlan, Stepped, float], None]
"""Told after each step: steps done, phase, what the step did, views/s."""


def new_learner(parts: Parts) -> Learner:
    """Network, average and precision of a run that starts."""
    recipe, average = parts.recipe, None
    if recipe.average is not None:
        average = WeightAverage(parts.network, "teacher" in recipe.average.use_for)
    decay = parts.assembly.number("average", "decay") if recipe.average is not None else 0.0
    learner = Learner(
        parts.network,
        average,
        decay,
        parts.compute,
        parts.compute.scaler(),
        recipe.clip_grad,
        recipe.seed,
        parts.processes,
        recipe.strict,
        parts.assembly.catalog,
    )
    learner.watch()
    return learner


def new_optimizer(parts: Parts, plan: PhasePlan) -> ScheduledOptimizer:
    """The optimizer of a phase; also sets which parameters train."""
    freeze(parts.network, plan.phase.freeze)
    own = ("phases", parts.recipe.phases.index(plan.phase), "optimizer")
    address = own if plan.phase.optimizer is not None else ("optimizer",)
    return ScheduledOptimizer(parts.assembly, address, parts.schedule(plan), parameter_groups(parts.network, plan))


def stream_batch(parts: Parts, plan: PhasePlan, stream: str, batch: Batch) -> StreamBatch:
    """A stream's batch in a step of a phase, with its objectives and number of micro-batches."""
    said = plan.streams[stream]
    return StreamBatch(batch, parts.objectives[plan.phase.name, stream], said.accumulate, said.statistics)


@dataclass(slots=True)
class _Rate:
    """Views per second since the start, the slow first step left out."""

    views: int = 0
    since: float | None = None

    def after(self, views: int) -> float:
        """The rate after a step of ``views`` views."""
        now = time.perf_counter()
        if self.since is None:
            self.since = now
            return 0.0
        self.views += views
        return self.views / max(now - self.since, 1e-9)

    def restart(self) -> None:
        """Forget what was; an evaluation has come between."""
        self.views, self.since = 0, None


@dataclass(slots=True)
class Training:
    """Trains to the end, or until it is asked to stop."""

    parts: Parts
    learner: Learner
    checkpoints: checkpoint.Checkpoints
    journal: Journal
    watchers: Watchers
    interrupt: Interrupt  # set by signals
    show: Show
    evaluate: Callable[[int], Results]  # called with the steps done when the recipe or a callback asks for it
    best: checkpoint.Best | None = None  # if the recipe names a metric
    views: int = 0  # that have passed the network so far
    done: int = 0  # steps of the run
    _optimizer: ScheduledOptimizer | None = None
    _rate: _Rate = field(default_factory=_Rate)

    def run(self, state: checkpoint.State | None) -> Status:
        """Train from ``state``, or from the beginning."""
        if state is not None:
            self.learner.restore(state, self.checkpoints.last())
            self.views = int(state.facts["views"])
            if state.facts.get("evaluate"):  # it was killed before that was done
                self.consider(state.step, self.evaluate(state.step), replace(state, facts={"views": self.views}))
        self.done = 0 if state is None else state.step
        for plan in self.parts.plans:
            if self.done >= plan.first_step + plan.steps:
                continue
            self._enter(plan, self.done - plan.first_step, state)
            state = None
            for number in self._steps(plan, self.done - plan.first_step):
                self.done = number
                wanted = [self.interrupt.asked is not None, self.watchers.take("stop")]
                if any(self.parts.processes.any(wanted)) and number < self.parts.steps:
                    self._save(number)
                    return "stopped"
        if state is not None:  # it was killed after its last step: only the closing evaluation is still to come
            self._enter(self.parts.plans[-1], self.parts.plans[-1].steps, state)
        return "done"

    def _enter(self, plan: PhasePlan, step: int, state: checkpoint.State | None) -> None:
        """Get ready for a phase at its step ``step``; ``state`` is the checkpoint that is being resumed, if any."""
        network, phase = self.parts.network, plan.phase
        known = state.optimizer if state is not None else None
        if known is None and self._optimizer is not None:
            known = self._optimizer.state(network)
        if step == 0 and phase.reset:
            seed = seeded(self.parts.recipe.seed, f"reset/{phase.name}")
            reset(network, build_network(self.parts.recipe, self.parts.assembly.again(), seed), phase.reset)
        self._optimizer = new_optimizer(self.parts, plan)
        if known is not None and (step > 0 or phase.optimizer_state == "keep"):
            self._optimizer.load(network, known, same_phase=step > 0)

    def _steps(self, plan: PhasePlan, start: int) -> Iterator[int]:
        """Do the phase's steps from ``start`` on; yields the steps done in the run after each."""
        assert self._optimizer is not None
        batches = {name: self._batches(plan, name, start) for name in plan.streams}
        for step in range(start, plan.steps):
            number = plan.first_step + step + 1
            log = number % self.parts.recipe.log.every_steps == 0 or step == start
            with during(f"step {number}"), self.learner.thorough(step == start):
                taken = {name: next(batches[name]) for name in plan.active(step)}
                views = {name: batch for name, (_, batch) in taken.items()}
                portions = {name: stream_batch(self.parts, plan, name, batch) for name, batch in views.items()}
                info = StepInfo(plan.clock_at(step), number, log, str(self.checkpoints.last() or "none"))
                stepped = take_step(self.learner, portions, self._optimizer, info)
            if step == 0:
                self._pictures(number - 1, views)
            self._written(plan, number, {name: at for name, (at, _) in taken.items()}, stepped, log)
            self._epoch(plan, step + 1, number, views)
            yield number

    def _batches(self, plan: PhasePlan, name: str, start: int) -> Iterator[tuple[EpochPosition, Batch]]:
        """A stream's views on the device, from the phase's step ``start`` on."""
        feed = self.parts.feeds[plan.phase.name, name]
        feed = feed.guarded() if self.parts.recipe.strict else feed
        device = self.parts.compute.device
        first, stop = plan.position(name, start), plan.position(name, plan.steps)
        for at, batch in feed.batches(first, stop, pin=device.type == "cuda"):
            yield at, feed.chain.on_device(batch.to(device), at.epoch)

    def _written(
        self, plan: PhasePlan, number: int, positions: dict[str, EpochPosition], stepped: Stepped, log: bool
    ) -> None:
        self.views += stepped.views
        speed = self._rate.after(stepped.views)
        if not self.parts.processes.first:
            return
        values: dict[str, Any] = {"step": number, "phase": plan.phase.name}
        values |= {f"{name}/epoch": at.epoch for name, at in positions.items()}
        values |= {**stepped.losses, "lr": stepped.rate, **stepped.parts}
        if stepped.gradient_norm is not None:
            values["gradient_norm"] = stepped.gradient_norm
        if log:
            values["views_per_s"] = round(speed, 1)
        self.journal.write(values)
        numbers = MappingProxyType({key: float(value) for key, value in values.items() if key != "phase"})
        self.watchers.tell(lambda callback: callback.step_logged(number, numbers))
        self.show(number, plan, stepped, speed)

    def _epoch(self, plan: PhasePlan, done: int, number: int, views: dict[str, Batch]) -> None:
        """Do what is due after a step: tell callbacks of an epoch's end, save a checkpoint, evaluate."""
        recipe = self.parts.recipe
        epoch = plan.epoch_ends(done)
        last = done == plan.steps
        if epoch is not None:
            self.watchers.tell(lambda callback: callback.epoch_ended(number, plan.phase.name, epoch))
        if epoch is not None and (last or _every(epoch, recipe.log.pictures_every_epochs)):
            self._pictures(number, views)
        asked, wanted = self.parts.processes.any([self.watchers.take("save"), self.watchers.take("evaluate")])
        due = _every(epoch, recipe.checkpoint.every_epochs) or _every(number, recipe.checkpoint.every_steps)
        final = last and plan is self.parts.plans[-1]
        evaluate = not final and (wanted or _every(epoch, recipe.evaluate_every_epochs))
        if last or asked or due:
            self._save(number, evaluate)
        if evaluate:
            self.learner.mean_statistics()
            self.consider(number, self.evaluate(number))
            self._rate.restart()

    def consider(self, number: int, results: Results, state: checkpoint.State | None = None) -> None:
        """Keep the weights after a step, by default as they are now, if these results of theirs are the best so far."""
        if self.best is not None and self.parts.processes.first and self.best.improves(results):
            self.best.save(state or self._state(number), results)

    def _state(self, number: int, **facts: Any) -> checkpoint.State:
        assert self._optimizer is not None
        return self.learner.state(self._optimizer, number, {"views": self.views, **facts})

    def _save(self, number: int, evaluate: bool = False) -> None:
        """Write a checkpoint, which says whether the network is still to be evaluated at this step."""
        self.learner.mean_statistics()
        if self.parts.processes.first:
            self.journal.write_through()
            path = self.checkpoints.save(self._state(number, evaluate=evaluate))
            self.watchers.tell(lambda callback: callback.checkpoint_written(number, path))

    def _pictures(self, number: int, views: dict[str, Batch]) -> None:
        if not self.parts.processes.first:
            return
        sheets = {f"views_{name}": view_sheet(batch) for name, batch in views.items()}
        self.watchers.tell(lambda callback: callback.pictures(number, sheets))


def _every(count: int | None, interval: int | None) -> bool:
    return count is not None and interval is not None and count % interval == 0
