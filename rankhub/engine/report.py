"""What a run reports: rows of measurements against references, and the closing words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rankhub.engine import evaluation
from rankhub.engine.checkpoint import Results
from rankhub.engine.learner import WeightAverage
from rankhub.engine.network import Network
from rankhub.engine.parts import Parts, evaluation_chains
from rankhub.engine.plan import PhasePlan
from rankhub.engine.source import NetworkForward, NetworkSource, RawPixels
from rankhub.engine.step import Stepped
from rankhub.engine.training import Training
from rankhub.engine.watch import Watchers
from rankhub.interfaces.files import as_csv, write_text
from rankhub.interfaces.predict import Forward
from rankhub.interfaces.talk import Talk, TrainingStep

PIXELS, BEFORE, AFTER = "raw pixels", "before training", "after training"
CHANGED = " *"
"""Marks the last row of the closing table where the run went on though something had changed."""
RESULTS = "results.csv"
"""The closing table, in the run's folder."""


@dataclass(frozen=True, slots=True)
class Report:
    """The measurements of one run."""

    parts: Parts
    folder: Path  # the run's
    talk: Talk
    watchers: Watchers
    changes: Sequence[str] = ()  # in spite of which the run went on

    def references(self) -> list[evaluation.Row]:
        """The rows that training must beat. They are computed once a run, before its first step."""
        if not self.parts.evaluators:
            return []
        rows: list[evaluation.Row] = []
        for row in (PIXELS, BEFORE):
            results = self.parts.processes.from_first(evaluation.stored_row(self._row_folder(row)))
            if results is None:
                results = self.row(row, self._reference(row), 0)
            rows.append((row, results))
        return rows

    def _reference(self, row: str) -> Forward:
        if row == PIXELS:
            return RawPixels()
        parts, recipe = self.parts, self.parts.recipe
        data = next(iter(parts.plans[0].streams.values())).data
        untrained = evaluation.calibrated(
            parts.network, parts.datasets[data], parts.predict, parts.compute, recipe.seed
        )
        return NetworkForward(untrained, parts.compute)

    def _row_folder(self, row: str) -> Path:
        return self.folder / "evaluation" / row.replace(" ", "_")

    def row(self, row: str, forward: Forward, step: int, during: bool = False) -> Results:
        """Compute one row, ``during`` training only what is wanted then.

        All processes compute features, the first one has the results.
        """
        parts = self.parts
        source = NetworkSource(
            row=row,
            forward=forward,
            datasets=parts.datasets,
            chains=evaluation_chains(parts.recipe, parts.assembly),
            predict=parts.predict,
            compute=parts.compute,
            pictures=row != PIXELS,
            progress=self.talk.work,
            processes=parts.processes,
            guards=parts.assembly.catalog.guards,
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

    def step(self, number: int, plan: PhasePlan, stepped: Stepped, speed: float) -> None:
        """Say that ``number`` steps are done."""
        steps = self.parts.steps
        done = number - plan.first_step
        epoch = min(done // plan.steps_per_epoch + 1, max(1, -(-plan.steps // plan.steps_per_epoch)))
        left = (steps - number) * stepped.views / speed if speed > 0 else 0.0
        self.talk.step(TrainingStep(number, steps, plan.phase.name, epoch, stepped.losses["loss"], speed, left))

    def between(self, average: WeightAverage | None, step: int, again: bool = False) -> Results:
        """An evaluation in the middle of training; ``again``: it may be there."""
        if not self.parts.during:
            return {}
        network, _ = scored(self.parts, average)
        row = f"step {step}"
        stored = self.parts.processes.from_first(evaluation.stored_row(self._row_folder(row))) if again else None
        if stored is not None:
            return stored
        results = self.row(row, NetworkForward(network, self.parts.compute), step, during=True)
        table = evaluation.table_rows([(row, results)], self.parts.evaluators)
        self.talk.table(table)
        for sentence in evaluation.undefined(table):
            self.talk.note(sentence)
        return results

    def close(self, training: Training, references: list[evaluation.Row]) -> None:
        """The closing table, where the run lies, how to see it and what to try next."""
        parts, talk = self.parts, self.talk
        talk.line(f"Trained {parts.steps} steps, {training.views:,} views.")
        if parts.evaluators:
            network, which = scored(parts, training.learner.average)
            forward = NetworkForward(network, parts.compute)
            results = self.row(AFTER, forward, parts.steps)
            if not parts.processes.first:
                return
            training.consider(parts.steps, results)
            self._table([*references, (AFTER + CHANGED * bool(self.changes), results)], forward, which)
            for sentence in self.changes:
                talk.note(f"{AFTER}{CHANGED}: {sentence}")
        if training.best is not None:
            wanted = f"{training.best.label} {training.best.metric}"
            if (kept := training.best.kept()) is not None:
                talk.line(f"Best {wanted}: {kept[1]:.3f}, kept in {kept[0]}")
            else:
                talk.note(f"keep_best keeps nothing: {wanted} was never a finite number")
        talk.line(f"Run folder: {self.folder}")
        for hint in self.watchers.tell(lambda callback: callback.hint(), asks=False):
            talk.line(f"See it with: {hint}")
        for number, advice in enumerate(parts.recipe.next_steps):
            talk.line(("Try next: " if number == 0 else "          ") + advice)

    def _table(self, rows: list[evaluation.Row], forward: NetworkForward, which: str) -> None:
        parts, talk = self.parts, self.talk
        table = evaluation.table_rows(rows, parts.evaluators)
        write_text(self.folder / RESULTS, as_csv(table), make=True)
        talk.line()
        talk.table(table)
        talk.line()
        noted = dict.fromkeys(note for _, found in rows for result in found.values() for note in result.notes)
        remarks = parts.predict.remarks(forward.outputs, forward.features)
        for sentence in (*noted, *evaluation.undefined(table), *remarks):
            talk.note(sentence)
        talk.line(f"Scored: {which}.")
        for sentence in evaluation.beaten(rows, parts.evaluators):
            talk.note(f"training did not help: {sentence}")


def scored(parts: Parts, average: WeightAverage | None) -> tuple[Network, str]:
    """The weights that are evaluated, and what they are called."""
    wanted = parts.recipe.average
    if average is not None and wanted is not None and "evaluate" in wanted.use_for:
        return average.network, "the moving average of the weights"
    return parts.network, "the weights of the last step"


def announce(parts: Parts, description: Mapping[str, str], talk: Talk) -> None:
    """Print what the run will do: device, data, network, steps, expected time."""
    talk.pairs(description)
    for data, report in parts.reports.items():
        for note in report.notes:
            for table in report.tables:
                note = note.replace(f"the table {table}", f"data/{data}_{table}.csv of the run folder")
            talk.note(f"data.{data}: {note}")
    for sentence in parts.left_out:
        talk.note(sentence)


def write_reports(parts: Parts, path: Path) -> None:
    """Write what the data sets found while they opened."""
    for data, report in parts.reports.items():
        for name, rows in report.tables.items():
            if rows:
                write_text(path / "data" / f"{data}_{name}.csv", as_csv(rows), make=True)
