"""A whole run: check, open, say what it will cost, train, evaluate, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console

from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, evaluation, folder
from rankhub.engine.average import WeightAverage
from rankhub.engine.best import Best
from rankhub.engine.console import Talk, listening
from rankhub.engine.cost import describe
from rankhub.engine.device import Compute
from rankhub.engine.interrupt import Interrupt
from rankhub.engine.journal import Journal
from rankhub.engine.network import Network
from rankhub.engine.parts import Parts, build, labels_of
from rankhub.engine.processes import Processes, joined
from rankhub.engine.seeds import seeded
from rankhub.engine.source import NetworkForward, RawPixels, Source
from rankhub.engine.training import Status, Training, new_learner
from rankhub.engine.watch import Watchers
from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.predict import Forward
from rankhub.recipe.load import LoadedRecipe, load_recipe

PIXELS, BEFORE, AFTER = "raw pixels", "before training", "after training"


@dataclass(slots=True)
class Run:
    """One run in its folder.

    Attributes:
        loaded: The recipe.
        catalog: Where components come from.
        folder: The run's folder.
        talk: Where it says what it does.
    """

    loaded: LoadedRecipe
    catalog: Catalog
    folder: Path
    talk: Talk
    watchers: Watchers = field(default_factory=lambda: Watchers([]))

    def train(self, parts: Parts, state: checkpoint.State | None) -> Status:
        """Train to the end and report, or until Ctrl-C.

        Raises:
            UserError: See :class:`~rankhub.engine.training.Training`.
        """
        resolved, first = self.loaded.resolved(), parts.processes.first
        last = parts.plans[-1]
        steps = last.first_step + last.steps
        info = RunInfo(self.loaded.name, self.folder, resolved, 0 if state is None else state.step, steps)
        own: list[Callback] = [self.catalog.build("callback", spec) for spec in parts.recipe.callbacks]
        watching = [Pictures(self.folder / "pictures"), *self.catalog.observers(info), *own] if first else []
        self.watchers = Watchers(watching)
        self.watchers.tell(lambda callback: callback.run_started(info))
        checkpoints = checkpoint.Checkpoints(self.folder / "checkpoints", parts.recipe.checkpoint.keep)
        journal = Journal(self.folder / "metrics.jsonl" if first else None, info.step)
        wanted = parts.recipe.keep_best
        # An optional evaluator may have been left out, and with it what it would have chosen.
        there = wanted is not None and wanted.partition(".")[0] in parts.evaluators
        best = Best(checkpoints.folder, wanted, parts.evaluators) if wanted is not None and there else None
        status: Literal["done", "stopped", "failed"] = "failed"
        try:
            references = self.references(parts)
            torch.manual_seed(seeded(parts.recipe.seed, "train"))
            with Interrupt(several=parts.processes.count > 1) as interrupt:
                learner = new_learner(parts)
                training = Training(
                    parts,
                    learner,
                    checkpoints,
                    journal,
                    self.watchers,
                    interrupt,
                    show=lambda number, plan, stepped, speed: self.talk.step(number, steps, plan, stepped, speed),
                    evaluate=lambda number: self.between(parts, learner.average, number),
                    best=best,
                )
                status = training.run(state)
            self.talk.finish()
            if status == "done":
                self.report(parts, training, references, steps)
        except KeyboardInterrupt:  # outside of training's own care: in the evaluation, or a second Ctrl-C
            status = "stopped"
        finally:
            self.talk.finish()
            journal.close()
            self.watchers.tell(lambda callback: callback.run_ended(steps, status))
        if status == "stopped":
            self.talk.line(f"Stopped; last checkpoint: {checkpoints.last() or 'none yet'}.")
            self.talk.line(f"Go on with: rankhub run --resume {self.folder}")
        return status

    def references(self, parts: Parts) -> list[evaluation.Row]:
        """The rows that training must beat. They are computed once a run, before its first step."""
        if not parts.evaluators:
            return []
        rows: list[evaluation.Row] = []
        for row in (PIXELS, BEFORE):
            results = parts.processes.from_first(evaluation.stored_row(self._row_folder(row)))
            if results is None:
                results = self.evaluate(parts, row, self._reference(parts, row), 0)
            rows.append((row, results))
        return rows

    def _reference(self, parts: Parts, row: str) -> Forward:
        if row == PIXELS:
            return RawPixels()
        recipe = parts.recipe
        data = next(iter(recipe.phases[0].streams.values())).data
        untrained = evaluation.calibrated(
            parts.network, parts.datasets[data], parts.predict, parts.compute, recipe.seed
        )
        return NetworkForward(untrained, parts.compute)

    def _row_folder(self, row: str) -> Path:
        return self.folder / "evaluation" / row.replace(" ", "_")

    def evaluate(self, parts: Parts, row: str, forward: Forward, step: int, during: bool = False) -> evaluation.Results:
        """Compute one row of the report; all processes compute features, the first one has the results.

        Args:
            parts: The run's parts.
            row: Name of the row.
            forward: The row's network, or what stands in for it.
            step: Steps done.
            during: Whether this is in the middle of training.
        """
        source = Source(
            row=row,
            forward=forward,
            datasets=parts.datasets,
            chains=parts.chains(),
            predict=parts.predict,
            compute=parts.compute,
            pictures=row != PIXELS,
            progress=self.talk.work,
            processes=parts.processes,
        )
        if not parts.processes.first:
            source.serve()
            return {}
        # A measure that only compares networks of one kind, or judges a head, says nothing of pixels.
        judged = [name for name, each in parts.evaluators.items() if each.judges_training and not each.needs_heads]
        fit = {name: each for name, each in parts.evaluators.items() if row != PIXELS or name in judged}
        if during:
            fit = {name: each for name, each in fit.items() if name in parts.during}
        results = evaluation.evaluate_row(source, fit, self._row_folder(row))
        source.release()
        self.talk.finish()
        self.watchers.tell(lambda callback: callback.evaluated(step, row, results))
        return results

    def between(self, parts: Parts, average: WeightAverage | None, step: int) -> evaluation.Results:
        """An evaluation in the middle of training."""
        if not parts.during:
            return {}
        network, _ = scored(parts, average)
        row = f"step {step}"
        results = self.evaluate(parts, row, NetworkForward(network, parts.compute), step, during=True)
        self.talk.table(evaluation.table_rows([(row, results)], parts.evaluators))
        return results

    def report(self, parts: Parts, training: Training, references: list[evaluation.Row], steps: int) -> None:
        """The closing table, where the run lies, how to see it and what to try next."""
        talk = self.talk
        talk.line(f"Trained {steps} steps, {training.views:,} views.")
        if parts.evaluators:
            network, which = scored(parts, training.learner.average)
            forward = NetworkForward(network, parts.compute)
            results = self.evaluate(parts, AFTER, forward, steps)
            if not parts.processes.first:
                return
            training.consider(steps, results)
            rows = [*references, (AFTER, results)]
            table = evaluation.table_rows(rows, parts.evaluators)
            folder.write_rows(self.folder / "results.csv", table)
            talk.line()
            talk.table(table)
            talk.line()
            for note in dict.fromkeys(note for _, found in rows for result in found.values() for note in result.notes):
                talk.note(note)
            for remark in parts.predict.remarks(forward.outputs, forward.features):
                talk.note(remark)
            talk.line(f"Scored: {which}.")
            for sentence in evaluation.beaten(rows, parts.evaluators):
                talk.note(f"training did not help: {sentence}")
        kept = training.best.kept() if training.best is not None else None
        if training.best is not None and kept is not None:
            place, value = kept
            talk.line(f"Best {training.best.label} {training.best.metric}: {value:.3f}, kept in {place}")
        talk.line(f"Run folder: {self.folder}")
        for hint in self.watchers.tell(lambda callback: callback.hint()):
            talk.line(f"See it with: {hint}")
        for number, advice in enumerate(parts.recipe.next_steps):
            talk.line(("Try next: " if number == 0 else "          ") + advice)


class Pictures(Callback):
    """Keeps pictures of views in the run's folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def pictures(self, step: int, pictures: Mapping[str, Any]) -> None:
        """Write each picture as PNG."""
        for name, picture in pictures.items():
            folder.write_picture(self.place / f"{name}_step_{step}.png", picture)


def scored(parts: Parts, average: WeightAverage | None) -> tuple[Network, str]:
    """The weights that are evaluated, and what they are called."""
    wanted = parts.recipe.average
    if average is not None and wanted is not None and "evaluate" in wanted.use_for:
        return average.network, "the moving average of the weights"
    return parts.network, "the weights of the last step"


def start(
    loaded: LoadedRecipe,
    catalog: Catalog,
    overrides: Sequence[str],
    out: Path | None,
    dry_run: bool,
    talk: Talk | None = None,
) -> Status:
    """Run a recipe from its beginning.

    Raises:
        UserError: Whatever the user can mend; one sentence.
    """
    processes = Processes.from_environment()
    talk = _listen(talk, processes)
    compute = Compute.of(loaded.recipe, processes)
    with joined(processes, compute.device):
        parts = build(loaded.recipe, catalog, talk.work, processes, compute)
        talk.finish()
        announce(parts, loaded.name, talk, measure=True)
        if dry_run:
            talk.line("Dry run: nothing was trained or written.")
            return "done"
        place = processes.from_first(folder.new_folder(loaded.name, out) if processes.first else Path())
        if processes.first:
            folder.write_start(place, loaded.text, loaded.resolved_text(), overrides, folder.versions(catalog))
            folder.write_labels(place, labels_of(parts.datasets))
            write_reports(parts, place)
        talk.line(f"run folder  {place}")
        return Run(loaded, catalog, place, talk).train(parts, None)


def resume(place: Path, catalog: Catalog, talk: Talk | None = None) -> Status:
    """Go on with a run from its last checkpoint, or from its beginning if it has none yet.

    Raises:
        UserError: ``place`` is no run's folder, or the checkpoint does not fit.
    """
    processes = Processes.from_environment()
    talk = _listen(talk, processes)
    if not (place / folder.RESOLVED).is_file():
        raise UserError(f"--resume {place.absolute()} is no run's folder: {folder.RESOLVED} is not in it")
    loaded = load_recipe(place / folder.RESOLVED, [], catalog)
    checkpoints = checkpoint.Checkpoints(place / "checkpoints", loaded.recipe.checkpoint.keep)
    last = checkpoints.last()
    state = checkpoint.load(last) if last is not None else None
    compute = Compute.of(loaded.recipe, processes)
    with joined(processes, compute.device):
        parts = build(loaded.recipe, catalog, talk.work, processes, compute, fresh=state is None)
        talk.finish()
        announce(parts, loaded.name, talk, measure=False)
        for sentence in folder.changed_versions(place, folder.versions(catalog)):
            talk.note(sentence)
        where = f"goes on after step {state.step}" if state is not None else "has no checkpoint yet and begins again"
        talk.line(f"run folder  {place}, {where}")
        return Run(loaded, catalog, place, talk).train(parts, state)


def announce(parts: Parts, name: str, talk: Talk, *, measure: bool) -> None:
    """Say what is about to be done, on what and for how long."""
    talk.pairs(describe(parts, name, measure=measure))
    for report in parts.reports.values():
        for note in report.notes:
            talk.note(note)
    for sentence in parts.left_out:
        talk.note(sentence)


def write_reports(parts: Parts, place: Path) -> None:
    """Write what the data sets found while they opened."""
    for data, report in parts.reports.items():
        for name, rows in report.tables.items():
            if rows:
                folder.write_rows(place / "data" / f"{data}_{name}.csv", rows)


def _listen(talk: Talk | None, processes: Processes) -> Talk:
    """Where the run speaks, which also shows warnings of the engine as notes. Only the first process does."""
    return listening((talk or Talk()) if processes.first else Talk(Console(quiet=True)))


__all__ = ["AFTER", "BEFORE", "PIXELS", "Run", "announce", "resume", "start"]
