"""The jobs of a plan as far as they can be said: trials, the settings that they choose, and final jobs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rankhub import Change, UserError
from rankhub_study.evaluators import evaluators, sign_of
from rankhub_study.jobs import Job, JobBuilder, JobSpec, finals, started_at
from rankhub_study.plan import Trials
from rankhub_study.points import (
    Point,
    changes_at,
    labels,
    ordered,
    overrides,
    points,
    search_dimensions,
    value_changes,
)
from rankhub_study.recipes import Changes
from rankhub_study.records import read_record
from rankhub_study.search import Setting, candidates


@dataclass
class Jobs(JobBuilder):
    """All jobs of a plan.

    Attributes:
        lost: Folders of jobs that have failed; they are not waited for.
    """

    lost: set[Path] = field(default_factory=set)
    _settings: dict[str, list[Setting]] = field(default_factory=dict)
    _made: dict[tuple[Any, ...], Job] = field(default_factory=dict)

    @property
    def trials_wanted(self) -> Trials:
        """What the plan says of trials."""
        assert self.plan.trials is not None
        return self.plan.trials

    def said(self) -> list[Job]:
        """All jobs that can be said now, each after what it starts from: trials first, then seed by seed."""
        found: dict[Path, Job] = {}

        def add(job: Job | None) -> None:
            if job is not None and job.folder not in found:
                add(job.start)
                found[job.folder] = job

        for name, method in self.plan.methods.items():
            budget = method.budget or self.plan.budget
            if budget is not None and budget.seconds is not None:
                add(self.speed(name))
        for name in self.plan.methods:
            for job in self.trials(name):
                add(job)
        for name, point in finals(self.plan):
            add(self.final(name, point))
        return list(found.values())

    def waiting(self) -> list[str]:
        """The methods of final jobs that cannot be said yet, each as often as it has such jobs."""
        return [name for name, point in finals(self.plan) if self.final(name, point) is None]

    def final(self, name: str, point: Point) -> Job | None:
        """A method's job at a point; None while its trials, or what it starts from, cannot be said."""
        if (name, point) not in self._made:
            setting, origin, start = self.chosen(name, point), started_at(self.plan, name, point), None
            if origin is not None:
                start = self.final(*origin)
            if setting is None or (origin is not None and start is None):
                return None
            changes = [*changes_at(self.plan, self.recipes.document, point), *self._changes(name, setting)]
            kind = "final"
            if self.plan.rounds is not None and self.plan.methods[name].rounds:
                kind, start = "rounds", self.make(JobSpec(name, "first", point, [*changes, "acquire=null"], start))
            self._keep((name, point), self.make(JobSpec(name, kind, point, changes, start, setting)))
        return self._made.get((name, point))

    def _keep(self, key: tuple[Any, ...], job: Job | None) -> None:
        if job is not None:
            self._made[key] = job

    def settings(self, name: str) -> list[Setting]:
        """A method's settings to try, its own first; all resolve to different recipes.

        Raises:
            UserError: There are too few, or one does not fit the recipe.
        """
        if name not in self._settings:
            search = {key: one for key, (_, one) in search_dimensions(self.plan, name).items()}
            found: dict[str, Setting] = {self._resolved(name, {}): {}}
            if search:
                trials = self.trials_wanted
                for setting in candidates(search, trials.number - 1, f"{trials.seed}/{name}", trials.draw):
                    if len(found) == trials.number:
                        break
                    found.setdefault(self._resolved(name, setting), setting)
                if len(found) < trials.number:
                    raise UserError(
                        f"it has {len(found)} different settings to try, and every method gets {trials.number} trials; "
                        "widen its search"
                    )
            self._settings[name] = list(found.values())
        return self._settings[name]

    def _resolved(self, name: str, setting: Setting) -> str:
        return json.dumps(self.recipes.load(name, self._changes(name, setting)).resolved(), sort_keys=True)

    def _changes(self, name: str, setting: Setting) -> list[Change]:
        """What a setting changes."""
        search, found = search_dimensions(self.plan, name), []
        for key, label in setting.items():
            steps, dimension = search[key]
            found += value_changes(self.recipes.document, steps, dimension, label)
        return found

    def trials(self, name: str) -> Iterator[Job]:
        """All trials of a method that can be said now."""
        if search_dimensions(self.plan, name):
            for point in points(self.plan, name):
                for number, at in itertools.product(range(len(self.settings(name))), self._trial_points(point)):
                    if (job := self.trial(name, at, number)) is not None:
                        yield job

    def _trial_points(self, point: Point) -> list[Point]:
        """Where settings are compared that are for a point: there, on the axes that are nested, else elsewhere."""
        trials, values = self.trials_wanted, {}
        for axis, label in point:
            at = trials.at.get(axis, labels(self.plan.axis(axis))[0])
            values[axis] = [label] if axis in trials.nested else at if isinstance(at, list) else [at]
        return [
            ordered(self.plan, dict(zip(values, each, strict=True))) for each in itertools.product(*values.values())
        ]

    def trial(self, name: str, point: Point, number: int) -> Job | None:
        """A setting at a point, judged on data that are held out of training; None as for :meth:`final`.

        It starts from a trial of the method that it starts from, which has not seen what is held out either.
        """
        if (name, point, number) not in self._made:
            start, origin = None, started_at(self.plan, name, point)
            if origin is not None:
                best = self._best(origin[0], [origin[1]])
                start = None if best is None else self.trial(*origin, best)
                if start is None:
                    return None
            setting = self.settings(name)[number]
            changes = [*self._trial_changes(name, point), *self._changes(name, setting)]
            spec = JobSpec(name, "trial", point, changes, start, setting, number)
            self._keep((name, point, number), self.make(spec, self.trials_wanted.budget))
        return self._made.get((name, point, number))

    def _trial_changes(self, name: str, point: Point) -> Changes:
        """What trials of a method at a point change beside their setting."""
        trials, document = self.trials_wanted, self.recipes.document
        changes: Changes = [*changes_at(self.plan, document, point)]
        changes += overrides(document, ("trials", "overrides"), trials.overrides)
        if (spec := trials.hold_out) is not None:
            data = self.recipes.load(name, changes).resolved()["data"]
            if spec.data in data:
                of = {"use": "rankhub_study/portion", "of": data[spec.data], "share": spec.share, "seed": spec.seed}
                data = {**data, spec.data: {**of, "part": "train"}, spec.test: {**of, "part": "held_out"}}
                # Written out whole: what is like the training data stays like all of them.
                changes.append(Change("data", data, document.location(("trials", "hold_out"))))
        return changes

    def chosen(self, name: str, point: Point) -> Setting | None:
        """The setting of the best trial, of equals the first; None until all trials are over."""
        if not search_dimensions(self.plan, name):
            return {}
        best = self._best(name, self._trial_points(point))
        return None if best is None else self.settings(name)[best]

    def _best(self, name: str, where: Sequence[Point]) -> int | None:
        if not search_dimensions(self.plan, name):
            return 0
        scores: list[tuple[float, int]] = []
        for number in range(len(self.settings(name))):
            jobs = [self.trial(name, point, number) for point in where]
            if not all(job is not None and (job.done or job.folder in self.lost) for job in jobs):
                return None
            values = [value for job in jobs if job is not None and (value := self.score(job)) is not None]
            if len(values) == len(jobs):
                scores.append((sum(values) / len(values), -number))
        return -max(scores)[1] if scores else None

    def score(self, job: Job) -> float | None:
        """What a trial has reached, higher = better; None if it is not there, or chooses nothing.

        Raises:
            UserError: It has not measured what chooses.
        """
        record = read_record(job.folder)
        if record is None or not search_dimensions(self.plan, job.method):
            return None
        found, choose = record["rows"].get("after training", {}), self.trials_wanted.choose
        if choose not in found:
            raise UserError(f"`trials.choose: {choose}` was not measured by {job.title}; it has {', '.join(found)}")
        signed = sign_of(evaluators(self.recipes.load(job.method)), choose) * float(found[choose])
        return signed if signed == signed else float("-inf")
