"""The loop over phases and steps."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from operator import methodcaller
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
from rankhub.engine.step import LossNotFiniteError, Stepped, read, take_step
from rankhub.engine.watch import Watchers
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.draws import seeded
from rankhub.interfaces.processes import Interrupt

Status = Literal["done", "stopped"]
Show = Callable[[int, PhasePlan, Stepped, float], None]
"""Told of each step once it was read: steps done, phase, what the step did, views/s."""

READ_EVERY = 20
"""Steps after which the numbers of all are read from a device other than the CPU, so that the others do not wait."""


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
    _unread: list[tuple[PhasePlan, dict[str, int], Stepped]] = field(default_factory=list)  # with epochs of streams
    _since: float | None = None  # when views began to be counted for the rate: after the slow first step
    _counted: int = 0  # views since
    _waits: int = 0  # steps whose batches a device without work waited for, since that was last told
    _waited: float = 0.0  # seconds, of them all

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
            try:
                for number in self._steps(plan, self.done - plan.first_step):
                    self.done = number
                    wanted = [self.interrupt.asked is not None, self.watchers.take("stop")]
                    if any(self.parts.processes.any(wanted)) and number < self.parts.steps:
                        self._save(number)
                        return "stopped"
            except Exception:
                self._read()  # it may come of a number that was not finite in a step before
                raise
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
        log_spec, on_cpu = self.parts.recipe.log, self.learner.compute.device.type == "cpu"
        every = 1 if self.parts.recipe.strict else log_spec.read_every_steps or (1 if on_cpu else READ_EVERY)
        for step in range(start, plan.steps):
            number = plan.first_step + step + 1
            log = number % log_spec.every_steps == 0 or step == start
            if not self._unread:
                self._waits += 1
            with during(f"step {number}"), self.learner.thorough(step == start):
                taken = {name: next(batches[name]) for name in plan.active(step)}
                views = {name: batch for name, (_, batch) in taken.items()}
                portions = {name: stream_batch(self.parts, plan, name, batch) for name, batch in views.items()}
                last_good = str(self.checkpoints.last() or "none")
                info = StepInfo(plan.clock_at(step), number, log, last_good, at_once=every == 1)
                stepped = take_step(self.learner, portions, self._optimizer, info)
            if step == 0:
                self._pictures(number - 1, views)
            self.views += stepped.views
            epochs = {f"{name}/epoch": at.epoch for name, (at, _) in taken.items()}
            self._unread.append((plan, epochs, stepped))
            told = self.watchers.tell(methodcaller("at_once", number), asks=False)
            if step == start or number % every == 0 or any(told):
                self._read()
            self._epoch(plan, step + 1, number, views)
            yield number

    def _batches(self, plan: PhasePlan, name: str, start: int) -> Iterator[tuple[EpochPosition, Batch]]:
        """A stream's views on the device, from the phase's step ``start`` on."""
        feed = self.parts.feeds[plan.phase.name, name]
        feed = feed.guarded() if self.parts.recipe.strict else feed
        device = self.parts.compute.device
        first, stop = plan.position(name, start), plan.position(name, plan.steps)
        fetched = feed.batches(first, stop, apart=device.type != "cpu")
        for _ in range(first, stop):
            asked = time.perf_counter()
            at, batch = next(fetched)
            if not self._unread:  # else the device may still be at work on what it was given
                self._waited += time.perf_counter() - asked
            yield at, feed.chain.on_device(batch.to(device), at.epoch)

    def _read(self) -> None:
        """Read the numbers of the steps since the last reading, see that they are finite, and pass them on."""
        steps, self._unread = self._unread, []
        read([stepped for _, _, stepped in steps])
        if steps and self._since is None:
            self._since, self._counted = time.perf_counter(), 0
        elif steps:
            self._counted += sum(stepped.views for _, _, stepped in steps)
        speed = self._counted / max(time.perf_counter() - (self._since or 0.0), 1e-9)
        for plan, epochs, stepped in steps:
            if stepped.broken is not None:
                seen = steps[-1][2].info.number
                raise LossNotFiniteError(
                    f"{stepped.broken} at step {stepped.info.number}, which was seen after step {seen}; no checkpoint "
                    f"has what came of it. Last good checkpoint: {stepped.info.last_good}. Go on from there with "
                    "`strict: true`, which looks at every step, to see where it arises; or lower the learning rate, "
                    "set clip_grad, or use precision: fp32"
                )
            if self.parts.processes.first:
                self._tell(plan, epochs, stepped, speed)

    def _tell(self, plan: PhasePlan, epochs: dict[str, int], stepped: Stepped, speed: float) -> None:
        """Write the numbers of a step to the journal, and tell callbacks."""
        number, numbers = stepped.info.number, dict(stepped.numbers)
        norm = numbers.pop("gradient", None)
        values: dict[str, Any] = {"step": number, "phase": plan.phase.name, **epochs}
        values |= {name: numbers.pop(name) for name in list(numbers) if name in stepped.losses}
        values |= {"lr": stepped.rate, **numbers}
        if self.learner.clip is not None:
            values["gradient_norm"] = norm
        if stepped.info.log:
            values["views_per_s"] = round(speed, 1)
            if self._waits:
                values["data_wait"] = round(self._waited / self._waits, 6)
            self._waits, self._waited = 0, 0.0
        self.journal.write(values)
        known = MappingProxyType({key: float(value) for key, value in values.items() if key != "phase"})
        self.watchers.tell(lambda callback: callback.step_logged(number, known))
        self.show(number, plan, stepped, speed)

    def _epoch(self, plan: PhasePlan, done: int, number: int, views: dict[str, Batch]) -> None:
        """Do what is due after a step: tell callbacks of an epoch's end, save a checkpoint, evaluate."""
        recipe = self.parts.recipe
        epoch = plan.epoch_ends(done)
        last = done == plan.steps
        due = _every(epoch, recipe.checkpoint.every_epochs) or _every(number, recipe.checkpoint.every_steps)
        if epoch is not None or last or due:
            self._read()
        if epoch is not None:
            self.watchers.tell(lambda callback: callback.epoch_ended(number, plan.phase.name, epoch))
        if epoch is not None and (last or _every(epoch, recipe.log.pictures_every_epochs)):
            self._pictures(number, views)
        asked, wanted = self.parts.processes.any([self.watchers.take("save"), self.watchers.take("evaluate")])
        final = last and plan is self.parts.plans[-1]
        evaluate = not final and (wanted or _every(epoch, recipe.evaluate_every_epochs))
        if last or asked or due:
            self._save(number, evaluate)
        if evaluate:
            self._read()
            self.learner.mean_statistics()
            self.consider(number, self.evaluate(number))
            self._since = None

    def consider(self, number: int, results: Results, state: checkpoint.State | None = None) -> None:
        """Keep the weights after a step, by default as they are now, if these results of theirs are the best so far."""
        if self.best is not None and self.parts.processes.first and self.best.improves(results):
            self.best.save(state or self._state(number), results)

    def _state(self, number: int, **facts: Any) -> checkpoint.State:
        assert self._optimizer is not None
        return self.learner.state(self._optimizer, number, {"views": self.views, **facts})

    def _save(self, number: int, evaluate: bool = False) -> None:
        """Write a checkpoint, which says whether the network is still to be evaluated at this step."""
        self._read()
        self.learner.mean_statistics()
        if self.parts.processes.first:
            self.journal.write_through()
            path = self.checkpoints.save(self._state(number, evaluate=evaluate))
            self.watchers.tell(lambda callback: callback.checkpoint_written(number, path))

    def _pictures(self, number: int, views: dict[str, Batch]) -> None:
        """Let callbacks draw what the network is shown, and hand the pictures to all."""
        for drawn in self.watchers.tell(lambda callback: callback.viewed(number, views), asks=False):
            self.watchers.tell(methodcaller("pictures", number, drawn))


def _every(count: int | None, interval: int | None) -> bool:
    return count is not None and interval is not None and count % interval == 0
