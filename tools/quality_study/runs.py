"""The runs of the measurement, in the order in which they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparison.jobs import Job, as_overrides, digest
from comparison.results import is_done, metrics
from quality_study.study import LABELED, METHODS, Method, Overrides, Study, units

TRIAL_SEED = 100
INNER_FOLDS = 1
"""References, of those that train in the first fold, on which trials are judged in turn."""


@dataclass(frozen=True)
class Runs:
    """All runs of a study.

    Attributes:
        study: What is measured.
        left_out: The reference that is tested in the first fold; trials never see it.
    """

    study: Study
    left_out: str

    def trial(self, name: str, trial: int, fold: int) -> Job:
        """A setting of a method, judged on a reference that it did not train on."""
        method = METHODS[name]
        return self._run(name, f"trial{trial}-{fold}", "trial", TRIAL_SEED, self.study.steps, {
            **self.study.inner_fold(self.left_out, fold), **method.setting(trial)
        })  # fmt: skip

    def ranking(self, seed: int) -> Job:
        """No label: one run for all folds, judged on all scored images; what all folds of other methods start from."""
        return self._run("ranking", f"seed{seed}", "final", seed, self.study.ranking_steps, {"data.test.part": "all"})

    def final(self, name: str, share: float, seed: int, fold: int, setting: Overrides) -> Job:
        """A fold with the chosen setting."""
        changes = {**self.study.fold(fold, share), **setting}
        return self._run(
            name, f"labels{round(100 * share)}-seed{seed}-fold{fold}", "final", seed, self.study.steps, changes
        )

    def _run(self, name: str, label: str, kind: str, seed: int, steps: int, changes: Overrides) -> Job:
        method = METHODS[name]
        if method.after_ranking:
            changes = {"start_from": {"run": str(self.ranking(seed).folder)}, **changes}
            steps -= self.study.ranking_steps
        values = {**self.study.overrides(method, steps, seed), **changes}
        overrides = as_overrides(values)
        folder = self.study.out / name / f"{label}-{digest(method.recipe, *overrides)}"
        return Job(name, f"{name} {kind}", seed, method.recipe, overrides, _views(method, steps), label, folder)

    def chosen(self, name: str) -> int | None:
        """The trial with the best mean SROCC on references that it did not train on; None until all are over."""
        trials = range(METHODS[name].trials)
        scores = []
        for trial in trials:
            jobs = [self.trial(name, trial, fold) for fold in range(INNER_FOLDS)]
            if not all(map(is_done, jobs)):
                return None
            scores.append(sum(srocc(job.folder) for job in jobs) / len(jobs))
        return max(trials, key=lambda trial: scores[trial])

    def ordered(self, is_over: Callable[[Job], bool]) -> Iterator[Job]:
        """All runs that can be said now, those that are over among them."""
        yield self.ranking(TRIAL_SEED)
        for trial in range(max(method.trials for method in METHODS.values())):
            for name, method in METHODS.items():
                if trial < method.trials and self._can_begin(method, TRIAL_SEED, is_over):
                    yield from (self.trial(name, trial, fold) for fold in range(INNER_FOLDS))
        settings = {name: self.chosen(name) for name, method in METHODS.items() if method.trials}
        for share, seed in units():
            yield self.ranking(seed)
            for name, trial in settings.items():
                if trial is not None and self._can_begin(METHODS[name], seed, is_over):
                    setting = METHODS[name].setting(trial)
                    yield from (self.final(name, share, seed, fold, setting) for fold in range(self.study.references))

    def _can_begin(self, method: Method, seed: int, is_over: Callable[[Job], bool]) -> bool:
        return not method.after_ranking or is_over(self.ranking(seed))

    def expected(self, jobs: Sequence[Job]) -> list[Job]:
        """Final runs that will come on top of those that can be said now, for the estimate of the time."""
        said = {job.method for job in jobs if job.kind.endswith("final")}
        return [
            self.final(name, share, seed, fold, METHODS[name].setting(0))
            for name, method in METHODS.items()
            if name not in said and method.trials
            for share, seed in units()
            for fold in range(self.study.references)
        ]


def _views(method: Method, steps: int) -> int:
    """Views that pass the network; an image of the ranked stream has 4 kinds of 6 levels."""
    labeled, ranked = 12 * method.uses_labels, 24 * method.uses_ranks * (1 if method.uses_labels else 2)
    return steps * (labeled + ranked) // (2 if method is METHODS["alternating"] else 1)


def srocc(folder: Path) -> float:
    """SROCC of a run on its own test images."""
    return metrics(folder)["quality srocc"]


def describe(setting: dict[str, Any]) -> str:
    """A setting in a line."""
    return ", ".join(f"{path.removeprefix(LABELED).split('.')[-1]} {value:g}" for path, value in setting.items())
