"""The results of a study's jobs, read from its folder: no recipe and no data are needed."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from rankhub import UserError
from rankhub.interfaces.files import read_json, write_text
from rankhub_active.labeling.export import write_csv
from rankhub_ranking.metrics import krocc, mae, plcc, rmse, srocc
from rankhub_study.choice import Jobs
from rankhub_study.evaluators import evaluators, sign_of
from rankhub_study.plan import Plan
from rankhub_study.points import Point, labels, ordered, points, project
from rankhub_study.records import Record, read_record

MANIFEST = "manifest.json"
BEFORE, AFTER = "before training", "after training"
END = 1.0
"""Share of the training at its end."""

POOLED = {"srocc": srocc, "plcc": plcc, "krocc": krocc, "mae": mae, "rmse": rmse}
"""Name of a metric -> the metric of true and predicted values, for the pooled predictions of all folds."""

Moment = float
"""A share of the training, or a number of labels, after which there was a measurement."""


def write_manifest(jobs: Jobs) -> None:
    """Write which jobs there are, where they lie, and which way metrics run."""
    plan, signs = jobs.plan, dict[str, float]()
    wanted = [plan.column(name).metric for name in plan.metrics] + ([plan.trials.choose] if plan.trials else [])
    for known in (evaluators(jobs.recipes.load(name)) for name in plan.methods):
        signs = {metric: sign_of(known, metric) for metric in wanted if metric.partition(".")[0] in known} | signs
    listed = [
        {
            "method": job.method,
            "kind": job.kind,
            "point": job.point,
            "folder": job.folder.relative_to(jobs.out).as_posix(),
            "start": job.start.folder.relative_to(jobs.out).as_posix() if job.start is not None else None,
            "setting": job.described,
            "number": job.number,
            "forwards": job.forwards,
            "searched": jobs.score(job) is not None if job.kind == "trial" else False,
        }
        for job in jobs.said()
    ]
    write_text(jobs.out / MANIFEST, json.dumps({"signs": signs, "jobs": listed}, indent=1) + "\n")


class _Told(BaseModel):
    method: str
    kind: str
    point: list[tuple[str, Any]]
    folder: str
    start: str | None
    setting: str
    number: int
    forwards: int
    searched: bool


class _Manifest(BaseModel):
    signs: dict[str, float]
    jobs: list[_Told]


@dataclass(frozen=True)
class Entry:
    """A finished job.

    Attributes:
        told: What the manifest says of it.
        point: Values of its axes.
        record: What it has found.
        start: The job that it began with.
    """

    told: Mapping[str, Any]
    point: Point
    record: Record
    start: Entry | None

    @property
    def forwards(self) -> int:
        """Views that have passed the network, those of what it began with among them."""
        return int(self.told["forwards"]) + (self.start.forwards if self.start is not None else 0)

    @property
    def seconds(self) -> float | None:
        """Of training, that of what it began with among it; None where a kill came after one's last step."""
        own, before = float(self.record["training"]), 0.0 if self.start is None else self.start.seconds
        return own + before if own and before is not None else None

    @cached_property
    def moments(self) -> dict[Moment, str]:
        """When it was measured -> the row of its report."""
        rows = self.record["rows"]
        if self.told["kind"] == "rounds":
            return {float(count): count for count in rows}
        between = {int(row.split()[1]) / self.record["steps"]: row for row in rows if row.startswith("step ")}
        return {**({0.0: BEFORE} if BEFORE in rows else {}), **between, END: AFTER}

    def row(self, moment: Moment) -> str:
        """The row of its report that is nearest to a moment, since steps are whole; empty if none is near."""
        near = min(self.moments, key=lambda known: abs(known - moment))
        return self.moments[near] if abs(near - moment) <= 0.02 * max(1.0, moment) else ""


@dataclass(frozen=True)
class Results:
    """The finished jobs of a study, and the figures of its table.

    Attributes:
        plan: The plan.
        entries: The jobs that are there.
        signs: EVALUATOR.METRIC -> 1 where the higher value is the better, else -1.
    """

    plan: Plan
    entries: Sequence[Entry]
    signs: Mapping[str, float]

    @classmethod
    def read(cls, plan: Plan, out: Path) -> Results:
        """Read the folder of a study.

        Raises:
            UserError: No study was begun there.
        """
        file = out / MANIFEST
        if not file.is_file():
            raise UserError(f"{out.absolute()} is no study's folder: {MANIFEST} is not in it")
        manifest, found = (
            read_json(file, _Manifest, "`rankhub study` without --table writes it again"),
            dict[str, Entry](),
        )
        for told in (job.model_dump() for job in manifest.jobs):
            record = read_record(out / told["folder"])
            if record is not None:
                point = ordered(plan, dict(told["point"]))
                found[told["folder"]] = Entry(told, point, record, found.get(told["start"]))
        return cls(plan, list(found.values()), manifest.signs)

    @cached_property
    def finals(self) -> dict[tuple[str, Point], Entry]:
        """Method and point -> final job."""
        kinds = ("final", "rounds")
        return {(one.told["method"], one.point): one for one in self.entries if one.told["kind"] in kinds}

    @cached_property
    def cells(self) -> list[Point]:
        """Lines of the table, without methods: all values of the axes that are neither seeds nor folds."""
        names = [name for name in self.plan.axes if self.plan.role(name) == "value"]
        every = itertools.product(*(labels(self.plan.axis(name)) for name in names))
        return [tuple(zip(names, values, strict=True)) for values in every]

    @cached_property
    def moments(self) -> list[Moment]:
        """When jobs were measured."""
        if self.plan.rounds is not None:
            return [float(count) for count in self.plan.rounds.labels]
        return [*sorted(self.plan.evaluate_at), END]

    def points(self, method: str, cell: Point, seed: Point = ()) -> list[Point]:
        """A method's points at a cell, and of a seed: one a fold."""
        wanted = set(project(self.plan, self.plan.methods[method], dict((*cell, *seed))))
        return [point for point in points(self.plan, method) if wanted.issubset(point)]

    def by_seed(self, method: str, column: str, cell: Point, moment: Moment) -> dict[Point, float]:
        """The values of a method's axes of seeds -> its number, where all folds are there."""
        every = self.points(method, cell)
        seeds = dict.fromkeys(tuple(each for each in point if self.plan.role(each[0]) == "seed") for point in every)
        found = {seed: self._value(self.points(method, cell, seed), method, column, moment) for seed in seeds}
        return {seed: value for seed, value in found.items() if value is not None}

    def _value(self, folds: Sequence[Point], method: str, column: str, moment: Moment) -> float | None:
        """One number of the table before seeds are averaged; None unless all folds are there."""
        found = [self.finals.get((method, point)) for point in folds]
        there = [(one.record, one.row(moment)) for one in found if one is not None]
        if len(there) < len(found):
            return None
        metric = self.plan.column(column)
        label, _, kind = metric.metric.partition(".")
        if metric.folds == "pooled":
            pairs = [record["pairs"].get(row, {}).get(label) for record, row in there]
            if None in pairs:
                return None
            return POOLED[kind](*(np.concatenate([np.asarray(pair[side]) for pair in pairs]) for side in (0, 1)))
        values = [record["rows"].get(row, {}).get(metric.metric) for record, row in there]
        return None if None in values else statistics.fmean(values)

    def differences(self, method: str, column: str, cell: Point, moment: Moment) -> dict[Point, float]:
        """Seed -> a method's value less the baseline's; empty for the baseline itself."""
        if self.plan.baseline in (None, method):
            return {}
        theirs = self.by_seed(str(self.plan.baseline), column, cell, moment)
        ours = self.by_seed(method, column, cell, moment)
        # A baseline without an axis of seeds has one value for all.
        other = {seed: theirs.get(seed, theirs.get(())) for seed in ours}
        return {seed: value - found for seed, value in ours.items() if (found := other[seed]) is not None}

    def sign(self, column: str) -> float:
        """1 where the higher value of a column is the better, else -1."""
        return self.signs.get(self.plan.column(column).metric, 1.0)


def interval(values: Iterable[float], draws: int = 10_000, level: float = 0.95) -> tuple[float, float] | None:
    """The bootstrap interval of a mean: quantiles of the means of as many values drawn with replacement, seeded.

    Of fewer than two values there is none; ``level`` is the share of the means that it holds.
    """
    known = np.asarray(list(values), dtype=np.float64)
    if len(known) < 2:
        return None
    rows = np.random.default_rng(0).integers(0, len(known), (draws, len(known)))
    low, high = np.quantile(known[rows].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def write_results(results: Results, out: Path) -> None:
    """Write ``results.csv``, a line a job and metric, and ``trials.csv``."""
    plan, trials = results.plan, results.plan.trials
    write_csv(
        out / "results.csv", ["method", *plan.axes, "at", "metric", "value", "seconds", "forwards"], _lines(results)
    )
    if trials is not None:
        rows = [
            [*_head(plan, one), one.told["number"], one.told["setting"], one.record["rows"][AFTER][trials.choose]]
            for one in results.entries
            if one.told["searched"]
        ]
        write_csv(out / "trials.csv", ["method", *plan.axes, "trial", "setting", trials.choose], rows)


def _head(plan: Plan, entry: Entry) -> list[Any]:
    return [entry.told["method"], *(dict(entry.point).get(axis, "") for axis in plan.axes)]


def _lines(results: Results) -> Iterator[list[Any]]:
    plan = results.plan
    metrics = list(dict.fromkeys(plan.column(name).metric for name in plan.metrics))
    for entry in results.finals.values():
        rows: dict[str, str] = {f"{moment:g}": row for moment, row in entry.moments.items()}
        rows |= {row: row for row in plan.references if row != BEFORE}
        for at, metric in itertools.product(rows, metrics):
            value = entry.record["rows"].get(rows[at], {}).get(metric)
            if value is not None:
                tail = [at, metric, value, entry.record["seconds"], entry.told["forwards"] or ""]
                yield [*_head(plan, entry), *tail]
