"""What a run reports: rows of measurements against references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankhub.engine import evaluation
from rankhub.engine.checkpoint import Best, Results
from rankhub.engine.learner import WeightAverage
from rankhub.engine.network import Network
from rankhub.engine.parts import Parts, evaluation_chains
from rankhub.engine.plan import PhasePlan
from rankhub.engine.source import NetworkForward, NetworkSource
from rankhub.engine.step import Stepped
from rankhub.engine.training import Training
from rankhub.engine.watch import Watchers
from rankhub.interfaces.evaluate import Reference
from rankhub.interfaces.files import as_csv, write_text
from rankhub.interfaces.predict import Forward
from rankhub.interfaces.talk import Talk, TrainingStep

AFTER = "after training"
CHANGED = " *"
"""Marks the last row of the closing table where the run went on though something had changed."""
RESULTS = "results.csv"
"""The closing table, in the run's folder."""


@dataclass(frozen=True)
class RunMeasured:
    """Rows of a run's report, of which ``table`` has the headline metrics."""

    parts: Parts
    rows: Sequence[evaluation.Row]
    table: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class RunClosed(RunMeasured):
    """A run that has done its last step; it has rows if it has evaluators.

    Attributes:
        folder: Its own.
        averaged: Whether the moving average of the weights was scored, or those of the last step.
        changes: Sentences on what it went on in spite of; the last row's name then ends with ``*``.
        best: Which weights were kept, if some were to be.
        hints: Commands with which callbacks' records are looked at.
    """

    folder: Path
    averaged: bool
    changes: Sequence[str]
    best: Best | None
    hints: Sequence[str]


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
        for reference in self.parts.assembly.catalog.asked("rankhub_references", Reference, "measure references"):
            results = self.parts.processes.from_first(evaluation.stored_row(self._row_folder(reference.row)))
            if results is None:
                results = self.row(reference.row, reference.forward(self.parts), 0)
            rows.append((reference.row, results))
        return rows

    def _row_folder(self, row: str) -> Path:
        return self.folder / "evaluation" / row.replace(" ", "_")

    def row(self, row: str, forward: Forward, step: int, during: bool = False) -> Results:
        """Compute one row, ``during`` training only what is wanted then; the first process has the results."""
        parts, a_network = self.parts, isinstance(forward, NetworkForward)
        seen, guards = (parts.predict, parts.compute, a_network, self.talk.work), parts.assembly.catalog.guards
        chains = evaluation_chains(parts.recipe, parts.assembly)
        source = NetworkSource(row, forward, parts.datasets, chains, *seen, parts.processes, guards)
        fit = parts.evaluators if a_network else evaluation.of_features(parts.evaluators)
        if during:
            fit = {name: each for name, each in fit.items() if name in parts.during}
        results = evaluation.evaluate_row(source, fit, self._row_folder(row))
        self.talk.finish()
        self.watchers.tell(lambda callback: callback.evaluated(step, row, results))
        return results

    def step(self, number: int, plan: PhasePlan, stepped: Stepped, speed: float) -> None:
        """Say that ``number`` steps are done."""
        steps = self.parts.steps
        done = number - plan.first_step
        epoch = min(done // plan.steps_per_epoch + 1, max(1, -(-plan.steps // plan.steps_per_epoch)))
        left = (steps - number) * stepped.views / speed if speed > 0 else 0.0
        self.talk.step(TrainingStep(number, steps, plan.phase.name, epoch, stepped.numbers["loss"], speed, left))

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
        measured = [(row, results)]
        self._say(RunMeasured(self.parts, measured, evaluation.table_rows(measured, self.parts.evaluators)))
        return results

    def close(self, training: Training, references: list[evaluation.Row]) -> None:
        """Measure what was trained, and tell how the run ended."""
        parts, rows = self.parts, list[evaluation.Row]()
        self.talk.line(f"Trained {parts.steps} steps, {training.views:,} views.")
        network, averaged = scored(parts, training.learner.average)
        if parts.evaluators:
            results = self.row(AFTER, NetworkForward(network, parts.compute), parts.steps)
            if not parts.processes.first:
                return
            training.consider(parts.steps, results)
            rows = [*references, (AFTER + CHANGED * bool(self.changes), results)]
        table = evaluation.table_rows(rows, parts.evaluators)
        if rows:
            write_text(self.folder / RESULTS, as_csv(table), make=True)
        hints = self.watchers.tell(lambda callback: callback.hint(), asks=False)
        self._say(RunClosed(parts, rows, table, self.folder, averaged, self.changes, training.best, hints))

    def _say(self, event: RunMeasured) -> None:
        self.parts.assembly.catalog.say(event, self.talk)


def scored(parts: Parts, average: WeightAverage | None) -> tuple[Network, bool]:
    """The network that is evaluated, and whether it is the moving average of the weights."""
    wanted = parts.recipe.average
    if average is not None and wanted is not None and "evaluate" in wanted.use_for:
        return average.network, True
    return parts.network, False


def write_reports(parts: Parts, path: Path) -> None:
    """Write what the data sets found while they opened."""
    for data, report in parts.reports.items():
        for name, rows in report.tables.items():
            if rows:
                write_text(path / "data" / f"{data}_{name}.csv", as_csv(rows), make=True)
