"""The runs of the measurement, in the order in which they are done."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison.jobs import Job, as_overrides, digest

from counting_study.labeled import Draws
from counting_study.settings import METHODS, RANKING, Method, Overrides, Settings
from counting_study.study import SWEEP, SWEEP_LABELS, SWEEP_SEED, Study, Variation


@dataclass(frozen=True)
class Runs:
    """All runs of a study.

    Attributes:
        study: What is measured.
        draws: Which images have labels.
    """

    study: Study
    draws: Draws

    def ranking(self, seed: int) -> Job:
        """No label: one run that all numbers of labels share."""
        data = {"data.unlabeled": self._unlabeled(), "data.test": self._test()}
        return self._job("ranking", RANKING, self.study.settings, "final", f"seed{seed}", seed, data)

    def final(self, name: str, labels: int, seed: int) -> Job:
        """A method with so many labeled images, judged on the test images."""
        method = METHODS[name]
        data = {**self._data(method, labels, seed), "data.test": self._test()}
        if method.after_ranking:
            data["start_from"] = {"run": str(self.ranking(seed).folder)}
        return self._job(name, method, self.study.settings, "final", f"labels{labels}-seed{seed}", seed, data)

    def variation(self, variation: Variation) -> Job:
        """A line of the sweep, judged on the images to train on that have no label, so that no test image chooses."""
        method = METHODS[variation.method]
        settings = dataclasses.replace(self.study.settings, **variation.changes)
        others = self.study.images.linked(self.draws.others_folder(SWEEP_LABELS, SWEEP_SEED))
        data = {**self._data(method, SWEEP_LABELS, SWEEP_SEED), "data.test": others}
        label = re.sub(r"[^a-z0-9.]+", "_", variation.name.lower())
        return self._job(variation.method, method, settings, "sweep", label, SWEEP_SEED, data)

    def _data(self, method: Method, labels: int, seed: int) -> Overrides:
        data = {"data.labeled": self.study.images.linked(self.draws.folder(labels, seed))}
        return {**data, "data.unlabeled": self._unlabeled()} if method.uses_ranks else data

    def _unlabeled(self) -> Overrides:
        return self.study.images.data(part="unlabeled")

    def _test(self) -> Overrides:
        return self.study.images.data(part="held_out")

    def _job(
        self, name: str, method: Method, settings: Settings, kind: str, label: str, seed: int, further: Overrides
    ) -> Job:
        return make_job(self.study.out, self.study.threads, name, method, settings, kind, label, seed, further)

    def ordered(self, is_over: Callable[[Job], bool]) -> Iterator[Job]:
        """All runs that can be said now, those that are over among them: one seed after the other."""
        for seed in self.study.seeds:
            ranking = self.ranking(seed)
            yield ranking
            for labels in self.study.labels:
                for name, method in METHODS.items():
                    if not method.after_ranking or is_over(ranking):
                        yield self.final(name, labels, seed)

    def expected(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Runs that will come on top of those that can be said now, for the estimate of the time."""
        said = {job.folder for job in jobs}
        every = [self.final(name, labels, seed) for name, labels, seed in self.finals()]
        return [job for job in every if job.folder not in said]

    def finals(self) -> Iterator[tuple[str, int, int]]:
        """Method, number of labels and seed of each final run."""
        for seed in self.study.seeds:
            for labels in self.study.labels:
                for name in METHODS:
                    yield name, labels, seed

    def sweep(self, is_over: Callable[[Job], bool]) -> Iterator[Job]:
        """The runs of the sweep; none waits for another."""
        return map(self.variation, SWEEP)


def make_job(
    out: Path,
    threads: int,
    name: str,
    method: Method,
    settings: Settings,
    kind: str,
    label: str,
    seed: int,
    further: Overrides,
) -> Job:
    """A run of a method under ``out``; changed settings make another folder.

    Args:
        out: Folder of the measurement.
        threads: CPU threads.
        name: Name of the method.
        method: The method.
        settings: Settings of the run.
        kind: Runs of a method and kind take about as long.
        label: Beginning of the folder's name.
        seed: Of the run.
        further: Data, and what the run starts from.
    """
    values = {**settings.overrides(method, seed), "loader.cache": str(out / "cache"), "threads": threads, **further}
    overrides = as_overrides(values)
    folder = out / ("sweep" if kind == "sweep" else name) / f"{label}-{digest(method.recipe, *overrides)}"
    forwards = settings.views_of(method)
    return Job(name, f"{name} {kind}", seed, method.recipe, overrides, forwards, label, folder)
