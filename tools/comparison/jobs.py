"""The runs of a comparison, in the order in which they are done, and what each adds to its recipe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from comparison.plan import Method, Plan
from comparison.trials import Setting, overrides_of, settings, shown

Kind = Literal["trial", "final", "speed"]
Score = Callable[["Job"], float | None]
"""The figure by which trials are chosen; None if the trial is not there."""


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        method: Its name in the plan.
        kind: A trial, one of the final runs, or one that measures views/s; runs of a kind take about as long.
        number: Number of the trial, seed of the final run, or turn.
        recipe: Name or file.
        overrides: ``path=value``.
        forwards: Encoder forwards, those of a teacher not counted.
        setting: Choices of the search, in words.
        folder: Where it lies; the name ends in a digest of recipe and overrides, so that a changed plan never takes
            an old run for its own.
    """

    method: str
    kind: str
    number: int
    recipe: str
    overrides: tuple[str, ...]
    forwards: int
    setting: str
    folder: Path

    @property
    def title(self) -> str:
        """For the line printed of it."""
        return f"{self.method}, {'seed' if self.kind == 'final' else self.kind} {self.number}"


def as_overrides(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Path -> value, as the command line takes it."""
    return tuple(f"{path}={json.dumps(value)}" for path, value in values.items())


def digest(*lines: str) -> str:
    """Eight characters that stand for these lines, for names of folders."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Comparison:
    """A plan, where it lies and where its runs go.

    Attributes:
        plan: The plan.
        base: The plan's folder; recipe files are relative to it.
        out: Where all is written.
        threads: CPU threads of a run.
    """

    plan: Plan
    base: Path
    out: Path
    threads: int

    def settings(self, name: str) -> list[Setting]:
        """The settings of a method's trials."""
        return settings(self.plan.methods[name].search, self.plan.trials, f"{self.plan.search_seed}/{name}")

    def trials(self, name: str) -> list[Job]:
        """A method's trials."""
        return [self._job(name, "trial", number, setting) for number, setting in enumerate(self.settings(name))]

    def chosen(self, name: str, score: Score) -> Setting | None:
        """The setting of the best trial that is there, of equals the first; None if none is."""
        scored = [(score(job), setting) for job, setting in zip(self.trials(name), self.settings(name), strict=True)]
        there = [(value, setting) for value, setting in scored if value is not None]
        return max(there, key=lambda pair: pair[0])[1] if there else None

    def finals(self, name: str, setting: Setting) -> list[Job]:
        """A method's final runs with the chosen setting."""
        return [self._job(name, "final", seed, setting) for seed in self.plan.methods[name].seeds]

    def speeds(self, name: str, setting: Setting) -> list[Job]:
        """A method's runs that measure views/s."""
        return [self._job(name, "speed", turn, setting) for turn in range(self.plan.speed_rounds)]

    def _job(self, name: str, kind: Kind, number: int, setting: Setting) -> Job:
        method = self.plan.methods[name]
        file = self.base / method.recipe
        recipe = str(file) if file.suffix in (".yaml", ".yml") else method.recipe
        values = recipe_values(self.plan, method, kind, number, setting)
        values["loader.cache"] = str((self.out / "cache").absolute())
        values["threads"] = self.threads
        overrides = as_overrides(values)
        text = file.read_text() if file.is_file() else method.recipe
        apart = [line for line in overrides if not line.startswith("loader.cache=")]
        folder = self.out / name / f"{kind}{number}-{digest(text, *apart)}"
        return Job(name, kind, number, recipe, overrides, _forwards(self.plan, kind), shown(setting), folder)


def recipe_values(plan: Plan, method: Method, kind: Kind, number: int, setting: Setting) -> dict[str, Any]:
    """Path -> value of all that a run changes in its recipe; of equal paths the last stands."""
    steps = _forwards(plan, kind) // method.forwards_of_step
    views = {**plan.generator, "views": method.views}
    if method.crops:
        views["crops"] = [one.model_dump(mode="json") for one in method.crops]
    values: dict[str, Any] = {
        "steps": steps,
        "schedule": {"use": "cosine", "warmup_steps": round(plan.warmup * steps)},
        f"{plan.stream}.batch_size": method.images,
        f"{plan.stream}.generator": [views],
        "seed": number if kind == "final" else plan.trial_seed,
    }
    values |= plan.overrides
    values |= {"trial": plan.trial, "final": plan.final, "speed": plan.final}[kind]
    values |= method.overrides
    values |= overrides_of(method.search, setting)
    if kind == "final":
        values["evaluate_every_epochs"] = plan.evaluate_every // method.views_of_image
    if kind == "speed":
        values |= {"evaluate": [], "log.every_steps": steps}
    return values


def _forwards(plan: Plan, kind: Kind) -> int:
    return {"trial": plan.trial_forwards, "final": plan.forwards, "speed": plan.speed_forwards}[kind]


def ordered(
    comparison: Comparison, names: Sequence[str], score: Score, is_over: Callable[[Job], bool]
) -> Iterator[Job]:
    """All runs that can be said now, in the order in which they should be done, those that are over included.

    Tier by tier: trials first, then the final runs, the first seed of all methods before the second. A method's final
    runs can be said once its trials are over. The runs that measure speed come last, turn by turn.
    """
    plan = comparison.plan
    ready = {}
    for tier in sorted({plan.methods[name].tier for name in names}):
        members = [name for name in names if plan.methods[name].tier == tier]
        for name in members:
            jobs = comparison.trials(name)
            yield from jobs
            setting = comparison.chosen(name, score) if all(map(is_over, jobs)) else None
            if setting is not None:
                ready[name] = setting
        finals = [comparison.finals(name, ready[name]) for name in members if name in ready]
        yield from sorted((job for jobs in finals for job in jobs), key=lambda job: job.number)
    speeds = [comparison.speeds(name, setting) for name, setting in ready.items()]
    yield from sorted((job for jobs in speeds for job in jobs), key=lambda job: job.number)


def expected(comparison: Comparison, names: Sequence[str], jobs: Sequence[Job]) -> list[Job]:
    """Runs that will come on top of those that can be said now; only their number, kind and forwards are meant."""
    said = {(job.method, job.kind) for job in jobs}
    return [
        job
        for name in names
        for job in (*comparison.finals(name, {}), *comparison.speeds(name, {}))
        if (name, job.kind) not in said
    ]
