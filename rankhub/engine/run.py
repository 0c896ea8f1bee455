"""A whole run: open, say what it will cost, train, evaluate, report."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from rankhub.catalog.blame import blamed
from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, folder, started
from rankhub.engine.checkpoint import Best
from rankhub.engine.cost import Lines, describe
from rankhub.engine.data_overrides import put_data
from rankhub.engine.device import Compute, preserved
from rankhub.engine.folder import Journal
from rankhub.engine.interrupt import Interrupt
from rankhub.engine.parts import Parts, Resources, build
from rankhub.engine.processes import Processes, joined
from rankhub.engine.report import Report, announce, write_reports
from rankhub.engine.speech import talk_for
from rankhub.engine.started import AllowedChange, Identities, RunStart
from rankhub.engine.training import Status, Training, new_learner
from rankhub.engine.watch import Watchers
from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub.interfaces.draws import seeded
from rankhub.interfaces.errors import ENDING
from rankhub.interfaces.talk import Talk
from rankhub.recipe.load import LoadedRecipe


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

    def train(self, path: Path) -> Ended:
        """Train to the end and report, or until Ctrl-C."""
        parts, first, state = self.parts, self.parts.processes.first, self.state
        steps = parts.plans[-1].first_step + parts.plans[-1].steps
        info = RunInfo(self.loaded.name, path, self.loaded.resolved(), 0 if state is None else state.step, steps)
        watchers = Watchers(self._callbacks(info) if first else [], self.host.catalog)
        watchers.tell(lambda callback: callback.run_started(info))
        checkpoints = checkpoint.Checkpoints(path / "checkpoints", parts.recipe.checkpoint.keep)
        journal = Journal(path / "metrics.jsonl" if first else None, info.step)
        for remark in journal.remarks:
            self.host.talk.note(remark)
        report = Report(parts, path, self.host.talk, watchers)
        status: Literal["done", "stopped", "failed"] = "failed"
        interrupt, training, asked = self.interrupt, None, ""
        try:
            references = report.references()
            torch.manual_seed(seeded(parts.recipe.seed, "train"))
            learner = new_learner(parts)
            training = Training(
                parts,
                learner,
                checkpoints,
                journal,
                watchers,
                interrupt,
                show=report.step,
                evaluate=lambda number: report.between(learner.average, number, number == info.step),
                best=self._best(checkpoints),
            )
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
        return [*self.host.catalog.observers(info), *own, *self.host.callbacks]

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
        announce(parts, describe(parts, loaded.name, measure=True), talk)
        data = _identities(parts)
        path = processes.from_first(folder.new_folder(loaded.name, out) if processes.first else Path())
        with _around(path, processes, host.catalog):
            if processes.first:
                lock = folder.versions(host.catalog)
                folder.write_start(path, loaded.text, loaded.resolved_text(), loaded.changes, lock)
                folder.write_labels(path, parts.assembly.labels)
                RunStart.written(path, data)
                write_reports(parts, path)
            talk.line(f"run folder  {path}")
            return begun.train(path)


def _identities(parts: Parts) -> Identities:
    """What the data sets are; the first process looks."""
    datasets, guards = parts.datasets if parts.processes.first else {}, parts.assembly.catalog.guards
    return {
        name: {key: value for guard in guards for key, value in guard.identity(data).items()}
        for name, data in datasets.items()
    }


def _around(path: Path, processes: Processes, catalog: Catalog) -> AbstractContextManager[None]:
    """What plugins hold while the run works in its folder, such as a lock; the first process asks."""
    return catalog.around(path) if processes.first else nullcontext()


def estimate(loaded: LoadedRecipe, host: Host) -> Lines:
    """Say what a run would do and cost, and stop; nothing is trained or written."""
    with _begun(loaded, host) as begun:
        lines = describe(begun.parts, loaded.name, measure=True)
        announce(begun.parts, lines, begun.host.talk)
        return lines


def resume(path: Path, loaded: LoadedRecipe, host: Host, *, allow_changes: bool = False) -> Ended:
    """Go on with the run in ``path`` from its last checkpoint, or from its beginning if it has none yet.

    Raises:
        ChangedError: Recipe or data are others than when it began, and ``allow_changes`` does not stand.
    """
    with _around(path, Processes.from_environment(), host.catalog):
        start = RunStart.of(path)
        found = start.edits(path) if start is not None else []
        started.refuse(path, [] if allow_changes else found)
        with _begun(loaded, host, path, fresh=allow_changes) as begun:
            parts, talk, state = begun.parts, begun.host.talk, begun.state
            now = parts.processes.from_first(_identities(parts))
            if start is not None:
                found += start.changes(now, host.catalog.guards)
            elif state is not None:
                found.append(started.OTHER_ORDER)
            started.refuse(path, [] if allow_changes else found)
            announce(parts, describe(parts, loaded.name, measure=False), talk)
            for sentence in folder.changed_versions(path, folder.versions(host.catalog)):
                talk.note(sentence)
            if start is None and state is not None:
                talk.note("the run was begun by an earlier version, which did not keep what its data were")
            for sentence in found:
                talk.note(f"goes on though {sentence}")
            step = 0 if state is None else state.step
            if parts.processes.first and (found or start is None):
                history = start.history if start is not None else []
                if found:
                    started.set_aside(path, step)
                    write_reports(parts, path)
                    history = [*history, AllowedChange(step=step, changes=found)]
                folder.write_labels(path, parts.assembly.labels)
                RunStart.written(path, now, history)
            where = f"goes on after step {step}" if state is not None else "has no checkpoint yet and begins again"
            talk.line(f"run folder  {path}, {where}")
            return begun.train(path)


@contextmanager
def _begun(loaded: LoadedRecipe, host: Host, path: Path | None = None, *, fresh: bool = False) -> Iterator[_Begun]:
    """The parts of a recipe, in the processes of its run. Only the first process speaks.

    Of a run that goes on in ``path`` its last checkpoint too, without which, or ``fresh``, its network is initialized.
    """
    processes = Processes.from_environment()
    if not processes.first:
        host = Host(host.catalog, Talk(), host.data)
    compute = Compute.of(loaded.recipe, processes)
    with Interrupt(several=processes.count > 1) as interrupt, joined(processes, compute.device):
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
