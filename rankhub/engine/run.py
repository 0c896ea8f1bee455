"""A whole run: open, say what it will cost, train, evaluate, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from rankhub.catalog.blame import blamed
from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, folder
from rankhub.engine.checkpoint import Best
from rankhub.engine.console import Talk, talk_for
from rankhub.engine.cost import Lines, describe
from rankhub.engine.data_overrides import put_data
from rankhub.engine.device import Compute, preserved
from rankhub.engine.folder import Journal
from rankhub.engine.interrupt import Interrupt
from rankhub.engine.parts import Parts, Resources, build
from rankhub.engine.processes import Processes, joined
from rankhub.engine.report import Report, announce, write_reports
from rankhub.engine.training import Status, Training, new_learner
from rankhub.engine.watch import Pictures, Watchers
from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import seeded
from rankhub.recipe.load import LoadedRecipe


@dataclass(frozen=True, slots=True)
class Host:
    """What surrounds a run."""

    catalog: Catalog  # where components come from
    talk: Talk = field(default_factory=Talk)  # where it says what it does
    data: Mapping[str, Dataset] = field(default_factory=dict)  # used in place of those of the recipe, by name
    callbacks: Sequence[Callback] = ()  # further ones than the recipe and the plugins have


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    status: Status
    folder: Path
    interrupted: bool = False  # stopped by a signal, and not because a callback asked


@dataclass(frozen=True, slots=True)
class _Begun:
    """A recipe whose parts are there, in the processes of its run."""

    loaded: LoadedRecipe
    host: Host
    parts: Parts

    def train(self, path: Path, state: checkpoint.State | None) -> Ended:
        """Train to the end and report, or until Ctrl-C."""
        parts, first = self.parts, self.parts.processes.first
        steps = parts.plans[-1].first_step + parts.plans[-1].steps
        info = RunInfo(self.loaded.name, path, self.loaded.resolved(), 0 if state is None else state.step, steps)
        watchers = Watchers(self._callbacks(info) if first else [], self.host.catalog)
        watchers.tell(lambda callback: callback.run_started(info))
        checkpoints = checkpoint.Checkpoints(path / "checkpoints", parts.recipe.checkpoint.keep)
        journal = Journal(path / "metrics.jsonl" if first else None, info.step)
        report = Report(parts, path, self.host.talk, watchers)
        status: Literal["done", "stopped", "failed"] = "failed"
        interrupted, training = False, None
        try:
            references = report.references()
            torch.manual_seed(seeded(parts.recipe.seed, "train"))
            with Interrupt(several=parts.processes.count > 1) as interrupt:
                learner = new_learner(parts)
                training = Training(
                    parts,
                    learner,
                    checkpoints,
                    journal,
                    watchers,
                    interrupt,
                    show=lambda number, plan, stepped, speed: self.host.talk.step(number, steps, plan, stepped, speed),
                    evaluate=lambda number: report.between(learner.average, number),
                    best=self._best(checkpoints),
                )
                status = training.run(state)
            interrupted = status == "stopped" and interrupt.asked is not None
            self.host.talk.finish()
            if status == "done":
                report.close(training, references)
        except KeyboardInterrupt:  # outside of training's own care: in the evaluation, or a second Ctrl-C
            status, interrupted = "stopped", True
        finally:
            self.host.talk.finish()
            journal.close()
            reached = info.step if training is None else training.done
            watchers.tell(lambda callback: callback.run_ended(reached, status))
        if status == "stopped":
            self.host.talk.line(f"Stopped; last checkpoint: {checkpoints.last() or 'none yet'}.")
            again = f"rankhub.resume({str(path)!r}, data={{...}})" if self.host.data else f"rankhub run --resume {path}"
            self.host.talk.line(f"Go on with: {again}")
        return Ended(status, path, interrupted)

    def _callbacks(self, info: RunInfo) -> list[Callback]:
        own: list[Callback] = [self.parts.assembly.get(*steps) for steps in self.parts.assembly.addresses("callbacks")]
        watching = self.host.catalog.observers(info)
        return [Pictures(info.folder / "pictures"), *watching, *own, *self.host.callbacks]

    def _best(self, checkpoints: checkpoint.Checkpoints) -> Best | None:
        wanted = self.parts.recipe.keep_best
        # An optional evaluator may have been left out, and with it what it would have chosen.
        if wanted is None or wanted.partition(".")[0] not in self.parts.evaluators:
            return None
        return Best(checkpoints.folder, wanted, self.parts.evaluators)


def start(loaded: LoadedRecipe, host: Host, out: Path | None = None) -> Ended:
    """Run a recipe from its beginning, in the folder ``out`` or ``runs/<name>/<time>``."""
    with _begun(loaded, host, fresh=True) as begun:
        parts, processes, talk = begun.parts, begun.parts.processes, begun.host.talk
        announce(parts, describe(parts, loaded.name, measure=True), talk)
        path = processes.from_first(folder.new_folder(loaded.name, out) if processes.first else Path())
        if processes.first:
            lock = folder.versions(host.catalog)
            folder.write_start(path, loaded.text, loaded.resolved_text(), loaded.changes, lock)
            folder.write_labels(path, parts.assembly.labels)
            write_reports(parts, path)
        talk.line(f"run folder  {path}")
        return begun.train(path, None)


def estimate(loaded: LoadedRecipe, host: Host) -> Lines:
    """Say what a run would do and cost, and stop; nothing is trained or written."""
    with _begun(loaded, host, fresh=True) as begun:
        lines = describe(begun.parts, loaded.name, measure=True)
        announce(begun.parts, lines, begun.host.talk)
        return lines


def resume(path: Path, loaded: LoadedRecipe, host: Host) -> Ended:
    """Go on with the run in ``path`` from its last checkpoint, or from its beginning if it has none yet."""
    checkpoints = checkpoint.Checkpoints(path / "checkpoints", loaded.recipe.checkpoint.keep)
    last = checkpoints.last()
    state = checkpoint.load(last) if last is not None else None
    with _begun(loaded, host, fresh=state is None) as begun:
        talk = begun.host.talk
        announce(begun.parts, describe(begun.parts, loaded.name, measure=False), talk)
        for sentence in folder.changed_versions(path, folder.versions(host.catalog)):
            talk.note(sentence)
        where = f"goes on after step {state.step}" if state is not None else "has no checkpoint yet and begins again"
        talk.line(f"run folder  {path}, {where}")
        return begun.train(path, state)


@contextmanager
def _begun(loaded: LoadedRecipe, host: Host, *, fresh: bool) -> Iterator[_Begun]:
    """The parts of a recipe, in the processes of its run. Only the first process speaks."""
    processes = Processes.from_environment()
    if not processes.first:
        host = Host(host.catalog, Talk(Console(quiet=True)), host.data)
    compute = Compute.of(loaded.recipe, processes)
    with joined(processes, compute.device):
        resources = Resources(host.catalog, host.talk.work, processes, compute, host.data)
        parts = build(loaded.recipe, resources, fresh=fresh)
        host.talk.finish()
        yield _Begun(loaded, host, parts)


@contextmanager
def hosted(
    loaded: LoadedRecipe, data: Mapping[str, Any] | None, progress: Any, callbacks: Sequence[Callback] = ()
) -> Iterator[tuple[LoadedRecipe, Host]]:
    """A recipe with the data that are handed over, and what surrounds its run; what belongs to the process is kept."""
    with preserved(), blamed(loaded.catalog):
        talk, given = talk_for(progress), dict[str, Dataset]()
        if data:
            loaded, given, left_out = put_data(loaded, data)
            for sentence in left_out:
                talk.note(sentence)
        yield loaded, Host(loaded.catalog, talk, given, callbacks)
