"""The jobs of a plan: what each changes, what it starts from, and the folder that its identity names."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankhub import Change, UserError
from rankhub_study.fingerprint import fingerprint
from rankhub_study.plan import Plan
from rankhub_study.points import Point, changes_at, labels, points, project, shown
from rankhub_study.recipes import Changes, Length, Recipes
from rankhub_study.records import read_record
from rankhub_study.search import Setting, described

SPEED_STEPS = 30
"""Of the short run by which a budget in seconds becomes steps."""

_TELLING = re.compile(r"(phases|steps|epochs|mix|clock)[.=]|streams(\.[^.=]+(\.batch_size|\.generator[^=]*)?)?=")
"""Changes that may change how long training is, or what a step costs."""
_SILENT = frozenset({"name", "description", "next_steps", "log", "loader", "threads", "checkpoint"})
"""Entries of a recipe that change no result."""


@dataclass(frozen=True)
class JobSpec:
    """What a job is to do, before its length, its folder and its identity are known.

    Attributes:
        method: Its name in the plan.
        kind: ``speed``, ``trial``, ``final``, ``first`` (a first round, which methods share) or ``rounds``.
        point: Values of the axes.
        changes: Of the recipe, beside those of the method.
        start: The job whose weights, or first round, it begins with.
        setting: Choices of the search.
        number: Of the trial.
    """

    method: str
    kind: str
    point: Point
    changes: Sequence[Change | str] = ()
    start: Job | None = None
    setting: Setting = field(default_factory=dict)
    number: int = 0


@dataclass(frozen=True)
class Job(JobSpec):
    """One training, or the rounds of one labeling; its changes say its length and what it starts from too.

    Attributes:
        steps: Optimizer steps; 0 = epochs, whose number of steps the data decide.
        forwards: Views that pass the network; 0 = as for steps.
        identity: Digest of the recipe, its changes and the data.
        folder: Where it is done.
    """

    steps: int = 0
    forwards: int = 0
    identity: str = ""
    folder: Path = Path()

    @property
    def title(self) -> str:
        """For the line that is printed of it."""
        kind = {"speed": "speed", "trial": f"trial {self.number}"}.get(self.kind, "")
        name = "first round" if self.kind == "first" else self.method
        return ", ".join(part for part in (name, kind, shown(self.point)) if part)

    @property
    def described(self) -> str:
        """Its setting in a line; empty where nothing was searched."""
        return described(self.setting) if self.setting or self.kind == "trial" else ""

    @property
    def done(self) -> bool:
        """Whether it is there and need not be repeated."""
        return read_record(self.folder) is not None


@dataclass
class JobBuilder:
    """Makes jobs from their specifications.

    Attributes:
        recipes: Of the plan's methods.
        out: The study's folder.
    """

    recipes: Recipes
    out: Path
    _lengths: dict[tuple[str, ...], Length] = field(default_factory=dict)
    _bases: dict[str, dict[str, Any]] = field(default_factory=dict)
    _prints: dict[str, str] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.recipes.plan

    def make(self, spec: JobSpec, share: float = 1.0) -> Job | None:
        """The job of a wish, with so much of the budget; None while the speed of its method is not known.

        Raises:
            UserError: Its length cannot be said.
        """
        length = self._length(spec.method, spec.changes)
        try:
            steps = self._steps(spec, length, share)
        except UserError as error:
            raise UserError(f"method {spec.method}: {error}") from error
        if steps is None:
            return None
        named = zip(length.names, steps, strict=bool(steps))
        changes = [*spec.changes, *(f"phases.{name}.steps={count}" for name, count in named), *_begins(spec, self.plan)]
        identity = self._identity(spec, changes)
        label = f"{spec.kind}{spec.number if spec.kind == 'trial' else ''}-{shown(spec.point)}"
        label = re.sub(r"[^A-Za-z0-9.+-]+", "_", label)[:80].strip("_-")
        folder = self.out / "runs" / ("first" if spec.kind == "first" else spec.method) / f"{label}-{identity[:10]}"
        told = {**vars(spec), "changes": tuple(changes), "identity": identity, "folder": folder}
        return Job(**told, steps=sum(steps), forwards=length.forwards(steps) if steps else 0)

    def speed(self, name: str) -> Job:
        """The short run that measures the seconds of a step."""
        point = next(points(self.plan, name))
        changes: Changes = [*changes_at(self.plan, self.recipes.document, point), "evaluate=[]", "keep_best=null"]
        job = self.make(JobSpec(name, "speed", point, changes))
        assert job is not None
        return job

    def _length(self, name: str, changes: Iterable[Change | str]) -> Length:
        telling = [one for one in changes if _TELLING.match(str(one))]
        key = (name, *map(str, telling))
        if key not in self._lengths:
            self._lengths[key] = Length.of(self.recipes.load(name, telling))
        return self._lengths[key]

    def _steps(self, spec: JobSpec, length: Length, share: float) -> list[int] | None:
        """Steps of each phase; none where the recipe counts epochs; None while the speed is not known."""
        own = self.plan.methods[spec.method].budget
        budget = own or self.plan.budget
        # What it starts from has spent a part of the common budget; a round begins with weights that all have.
        start = spec.start if own is None and spec.kind in ("trial", "final") else None
        if spec.kind == "speed":
            return length.shared(SPEED_STEPS * len(length.names))
        if budget is None:
            known = [steps for steps in length.own if steps is not None]
            if len(known) < len(length.own) and share < 1.0:
                raise UserError("its phases count epochs, so trials cannot be a share of them; give each its `steps`")
            return [max(1, round(share * steps)) for steps in known] if len(known) == len(length.own) else []
        if budget.steps is not None:
            return length.shared(_left(share * budget.steps, start.steps if start else 0, "steps"))
        if budget.forwards is not None:
            return length.steps_for(_left(share * budget.forwards, start.forwards if start else 0, "forwards"))
        step, before = self.step_seconds(spec.method), self.step_seconds(start.method) if start else 0.0
        if step is None or before is None:
            return None
        spent = before * start.steps if start else 0.0
        return length.shared(_left((share * (budget.seconds or 0.0) - spent) / step, 0, "seconds"))

    def step_seconds(self, name: str) -> float | None:
        """Seconds of a step of a method; None until that is measured."""
        record = read_record(self.speed(name).folder)
        return None if record is None else float(record["training"]) / max(1, record["steps"])

    def _identity(self, spec: JobSpec, changes: Changes) -> str:
        """Digest of all that a job's result depends on; where data and runs lie is not part of it, what is there is."""
        if spec.method not in self._bases:
            recipe = self.recipes.load(spec.method).resolved()
            self._bases[spec.method] = {key: value for key, value in recipe.items() if key not in _SILENT}
        first = spec.kind == "first"
        recipe = {key: value for key, value in self._bases[spec.method].items() if not (first and key == "acquire")}
        rounds = self.plan.rounds if spec.kind in ("first", "rounds") else None
        roots = self._roots(recipe["data"], *changes)
        told = {
            "recipe": recipe,
            "changes": [str(one) for one in changes],
            "start": None if spec.start is None else spec.start.identity,
            "at": self.plan.evaluate_at if spec.kind == "final" else [],
            "rounds": None if rounds is None else rounds.first() if first else rounds.model_dump(mode="json"),
            "data": sorted(roots.values()),
        }
        text = json.dumps(told, sort_keys=True).replace(str(self.out), "OUT")
        for root, mark in roots.items():
            named = json.dumps(root) if os.sep in root else f'"root": {json.dumps(root)}'
            text = text.replace(named, mark).replace(json.dumps(named)[1:-1], mark)
        return hashlib.sha256(text.encode()).hexdigest()

    def _roots(self, *values: Any) -> dict[str, str]:
        """Paths of data in recipes or changes of recipes -> the fingerprint of what is there."""
        paths = [path for value in values for path in _paths(value)]
        for path in paths:
            if path not in self._prints:
                self._prints[path] = fingerprint(Path(path).expanduser())
        return {path: self._prints[path] for path in paths}


def finals(plan: Plan) -> list[tuple[str, Point]]:
    """Method and point of every final job, the first seed of all methods before the second."""
    known = {name: labels(plan.axis(name)) for name in plan.axes if plan.role(name) == "seed"}
    every = [(name, point) for name in plan.methods for point in points(plan, name)]
    return sorted(every, key=lambda each: sum(known[axis].index(label) for axis, label in each[1] if axis in known))


def started_at(plan: Plan, name: str, point: Point) -> tuple[str, Point] | None:
    """The method that another starts from, and at which of its points; None where it starts from none."""
    start = plan.methods[name].start
    return None if start is None else (start.method, project(plan, plan.methods[start.method], dict(point)))


def _begins(spec: JobSpec, plan: Plan) -> Iterator[str]:
    """The change by which a recipe begins with another job's weights."""
    start, told = plan.methods[spec.method].start, spec.start
    begun = told.start if spec.kind == "rounds" and told is not None else told
    if start is not None and begun is not None:
        parts = {} if start.parts is None else {"parts": start.parts}
        yield f"start_from={json.dumps({'run': str(begun.folder), 'average': start.average, **parts})}"


def _paths(value: Any, key: str = "") -> Iterator[str]:
    """Paths of data in a part of a recipe, or in a change: what is called ``root``, and paths that are there."""
    if isinstance(value, Change):
        yield from _paths(value.value, value.path.rpartition(".")[2])
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner)
    elif isinstance(value, str) and (key == "root" or (os.sep in value and Path(value).expanduser().exists())):
        yield value


def _left(total: float, spent: int, unit: str) -> int:
    left = round(total) - spent
    if left < 1:
        raise UserError(f"what it starts from has spent its whole budget of {round(total):,} {unit}")
    return left
