"""A whole run: open, say what it will cost, train, evaluate, report."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from rankhub.catalog.blame import blamed
from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, folder
from rankhub.engine.checkpoint import Best, Results
from rankhub.engine.cost import RunPlanned
from rankhub.engine.data_overrides import put_data
from rankhub.engine.device import Compute, preserved
from rankhub.engine.folder import Journal
from rankhub.engine.parts import Parts, Resources, build
from rankhub.engine.report import Report, write_reports
from rankhub.engine.speech import talk_for
from rankhub.engine.training import Status, Training, new_learner
from rankhub.engine.watch import Watchers
from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.draws import seeded
from rankhub.interfaces.errors import ENDING, ChangedError, UserError
from rankhub.interfaces.processes import Interrupt, Processes
from rankhub.interfaces.talk import Talk
from rankhub.recipe.load import LoadedRecipe

SHOWN = 3
"""Changes that a sentence names."""


@dataclass(frozen=True, slots=True)
class Host:
    """The surroundings of a run: catalog, output, data and callbacks given in Python."""

    catalog: Catalog  # where components come from
    talk: Talk = field(default_factory=Talk)  # where it says what it does
    data: Mapping[str, Dataset] = field(default_factory=dict)  # used in place of those of the recipe, by name
    callbacks: Sequence[Callback] = ()  # further ones than the recipe and the plugins have


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    status: Status
    folder: Path
    signal: str = ""  # that stopped it; "" where a callback asked


@dataclass(frozen=True, slots=True)
class _Begun:
    """A recipe with its parts built, in the processes of its run."""

    loaded: LoadedRecipe
    host: Host
    parts: Parts
    state: checkpoint.State | None  # from which it goes on
    interrupt: Interrupt

    def train(self, path: Path, changes: Sequence[str] = ()) -> Ended:
        """Train to the end and report, or until Ctrl-C; in spite of ``changes``."""
        parts, first, state = self.parts, self.parts.processes.first, self.state
        info = RunInfo(self.loaded.name, path, self.loaded.resolved(), 0 if state is None else state.step, parts.steps)
        guards = self.host.catalog.guards if first else ()
        said = [one for guard in guards for one in guard.begins(info, parts.datasets, changes)]
        watchers = Watchers(self._callbacks(info) if first else [], self.host.catalog)
        watchers.tell(lambda callback: callback.run_started(info))
        checkpoints = checkpoint.Checkpoints(path / "checkpoints", parts.recipe.checkpoint.keep)
        journal = Journal(path / "metrics.jsonl" if first else None, info.step)
        for remark in journal.remarks:
            self.host.talk.note(remark)
        report = Report(parts, path, self.host.talk, watchers, said)
        status: Literal["done", "stopped", "failed"] = "failed"
        interrupt, training, asked = self.interrupt, None, ""
        try:
            references = report.references()
            torch.manual_seed(seeded(parts.recipe.seed, "train"))
            learner = new_learner(parts)
            average, best = learner.average, self._best(checkpoints)

            def evaluate(number: int) -> Results:
                return report.between(average, number, again=number == info.step)

            training = Training(parts, learner, checkpoints, journal, watchers, interrupt, report.step, evaluate, best)
            interrupt.waits = True
            status = training.run(state)
            interrupt.waits = False
            if status == "stopped":  # by what one process was sent, or by a callback
                sent = parts.processes.any([interrupt.asked == name for name in ENDING])
                asked = next((name for name, came in zip(ENDING, sent, strict=True) if came), "")
            self.host.talk.finish()
            if status == "done":
                report.close(training, references)
                journal.check()
        except KeyboardInterrupt:  # outside of training's own care: in the evaluation, or a second Ctrl-C
            status, asked = "stopped", interrupt.asked or "SIGINT"
        finally:
            self.host.talk.finish()
            journal.close()
            reached = info.step if training is None else training.done
            watchers.tell(lambda callback: callback.run_ended(reached, status))
        if status == "stopped":
            self.host.talk.line(f"Stopped; last checkpoint: {checkpoints.last() or 'none yet'}.")
            again = f"rankhub.resume({str(path)!r}, data={{...}})" if self.host.data else f"rankhub run --resume {path}"
            self.host.talk.line(f"Go on with: {again}")
        return Ended(status, path, asked)

    def _callbacks(self, info: RunInfo) -> list[Callback]:
        own: list[Callback] = [self.parts.assembly.get(*steps) for steps in self.parts.assembly.addresses("callbacks")]
        observers = self.host.catalog.asked("rankhub_observers", Callback, "watch this run", run=info)
        return [*observers, *own, *self.host.callbacks]

    def _best(self, checkpoints: checkpoint.Checkpoints) -> Best | None:
        wanted = self.parts.recipe.keep_best
        # An optional evaluator may have been left out, and with it what it would have chosen.
        if wanted is None or wanted.partition(".")[0] not in self.parts.evaluators:
            return None
        return Best(checkpoints.folder, wanted, self.parts.evaluators)


def start(loaded: LoadedRecipe, host: Host, out: Path | None = None) -> Ended:
    """Run a recipe from its beginning, in the folder ``out`` or ``runs/<name>/<time>``."""
    with _begun(loaded, host) as begun:
        parts, processes, talk = begun.parts, begun.parts.processes, begun.host.talk
        host.catalog.say(RunPlanned(loaded.name, parts, host.catalog.tried(parts)), talk)
        pinned = {name: data.pinned() for name, data in parts.datasets.items() if name not in host.data}
        if processes.from_first(pinned) != pinned:
            raise UserError("images were added while the processes opened their data; start again")
        path = processes.from_first(folder.new_folder(loaded.name, out) if processes.first else Path())
        with _around(path, processes, host.catalog):
            if processes.first:
                folder.write_start(path, loaded, pinned)
                folder.write_labels(path, parts.assembly.labels)
                write_reports(parts, path)
            talk.line(f"run folder  {path}")
            return begun.train(path)


def _changes(host: Host, path: Path, datasets: Mapping[str, Dataset], *, allowed: bool) -> list[str]:
    """In what a run that goes on differs from what it began as; a ChangedError unless that is allowed."""
    found = [one for guard in host.catalog.guards for one in guard.changes(path, datasets)]
    if found and not allowed:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ChangedError(
            f"{path} cannot go on as it began, for {'; '.join(found[:SHOWN])}{more}; put that back, or go on all the "
            "same with --allow-changes (in Python allow_changes=True)"
        )
    return found


def _around(path: Path, processes: Processes, catalog: Catalog) -> AbstractContextManager[None]:
    """What plugins hold while the run works in its folder, such as a lock; the first process asks."""
    return catalog.held("rankhub_around_run", folder=path) if processes.first else nullcontext()


def estimate(loaded: LoadedRecipe, host: Host) -> RunPlanned:
    """Say what a run would do and cost, and stop; nothing is trained or written."""
    with _begun(loaded, host) as begun:
        plan = RunPlanned(loaded.name, begun.parts, host.catalog.tried(begun.parts))
        host.catalog.say(plan, begun.host.talk)
        return plan


def resume(path: Path, loaded: LoadedRecipe, host: Host, *, allow_changes: bool = False) -> Ended:
    """Go on with the run in ``path`` from its last checkpoint, or from its beginning if it has none yet.

    Raises:
        ChangedError: Recipe or data are others than when it began, and ``allow_changes`` does not stand.
    """
    with _around(path, host.catalog.processes(), host.catalog):
        _changes(host, path, {}, allowed=allow_changes)
        with _begun(loaded, host, path, fresh=allow_changes) as begun:
            parts, talk, state = begun.parts, begun.host.talk, begun.state
            found = _changes(host, path, parts.datasets, allowed=allow_changes)
            host.catalog.say(RunPlanned(loaded.name, parts), talk)
            for sentence in found:
                talk.note(f"goes on though {sentence}")
            if parts.processes.first and (found or state is None):
                write_reports(parts, path)
                folder.write_labels(path, parts.assembly.labels)
            where = "has no checkpoint yet and begins again" if state is None else f"goes on after step {state.step}"
            talk.line(f"run folder  {path}, {where}")
            return begun.train(path, found)


@contextmanager
def _begun(loaded: LoadedRecipe, host: Host, path: Path | None = None, *, fresh: bool = False) -> Iterator[_Begun]:
    """The parts of a recipe, in the processes of its run. Only the first process speaks.

    Of a run that goes on in ``path`` its last checkpoint too, without which, or ``fresh``, its network is initialized.
    """
    processes, interrupt = host.catalog.processes(), Interrupt()
    if not processes.first:
        host = Host(host.catalog, Talk(), host.data)
    compute = Compute.of(loaded.recipe, processes)
    several = processes.count > 1
    with host.catalog.held("rankhub_signals", interrupt=interrupt, several=several), processes.joined(compute.device):
        state, labels = None, dict[str, LabelSpec]()
        if path is not None:
            checkpoints = checkpoint.Checkpoints(path / "checkpoints", loaded.recipe.checkpoint.keep)
            state = processes.first_before_others(checkpoints.last_whole)  # which sets damaged ones aside
            labels = {} if state is None else folder.read_labels(path)
        resources = Resources(host.catalog, host.talk.work, processes, compute, host.data, labels)
        parts = build(loaded.recipe, resources, fresh=fresh or state is None)
        host.talk.finish()
        yield _Begun(loaded, host, parts, state, interrupt)


@contextmanager
def hosted(
    loaded: LoadedRecipe, data: Mapping[str, Any] | None, progress: Any, callbacks: Sequence[Callback] = ()
) -> Iterator[tuple[LoadedRecipe, Host]]:
    """A recipe with the data that are handed over, and what surrounds its run; what belongs to the process is kept."""
    with preserved(), blamed(loaded.catalog):
        talk, given = talk_for(progress, loaded.catalog), dict[str, Dataset]()
        if data:
            loaded, given, left_out = put_data(loaded, data)
            for sentence in left_out:
                talk.note(sentence)
        yield loaded, Host(loaded.catalog, talk, given, callbacks)
