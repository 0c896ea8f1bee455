"""The runs over the five folds of UCF_CC_50."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comparison.jobs import Job
from counting_study.runs import make_job
from counting_study.settings import METHODS, Method, Overrides, Settings

FOLDS = 5
COMPARED = ("supervised", "multitask")


def settings() -> Settings:
    """What crowds need that cells do not: crops of large photos at many scales, kernels as wide as heads are apart."""
    return Settings(
        backbone={"use": "timm", "model": "test_convnext", "stride": 8},
        size=128,
        # About the photos' own scale on average: a network that has learned little answers the mean of what it was
        # shown, and squares that are shrunk hold more people to a cell than whole photos.
        labeled_crops={"count": 3, "smallest": 96, "largest": 160, "flip": 0.5},
        adaptive=0.3,
        sigma=8.0,
        cut=256,
        nested_crops={"crops": 4, "scale": 0.6, "flip": 0.5},
        steps=300,
        lr=1e-3,
    )


@dataclass(frozen=True)
class Crowds:
    """A measurement.

    Attributes:
        root: The folder of UCF_CC_50.
        out: Where all is written.
        settings: Of every run.
        labels: Photos of the four training folds that keep their points; None = all 40. All 40 are in the ranked
            stream, those of the test fold in none.
        seed: Of every run.
        max_side: Longer side in pixels to which larger photos are shrunk.
        threads: CPU threads of a run.
    """

    root: Path
    out: Path
    settings: Settings = field(default_factory=settings)
    labels: int | None = None
    seed: int = 0
    max_side: int = 1024
    threads: int = 1

    def run(self, name: str, fold: int) -> Job:
        """A method on a fold, judged on the fold's photos."""
        method = METHODS[name]
        data = self._data(method, fold)
        return make_job(self.out, self.threads, name, method, self.settings, "fold", f"fold{fold}", self.seed, data)

    def _data(self, method: Method, fold: int) -> Overrides:
        kept = {} if self.labels is None else {"labels": self.labels}
        data = {
            "data.labeled": self._photos(part="train", fold=fold, **kept),
            "data.test": self._photos(part="held_out", fold=fold),
        }
        # The part `unlabeled` without `labels` is all photos outside the fold, without their points.
        ranked = {"data.unlabeled": self._photos(part="unlabeled", fold=fold)}
        return {**data, **ranked} if method.uses_ranks else data

    def _photos(self, **options: Any) -> Overrides:
        return {"use": "ucf_cc_50", "root": str(self.root), "max_side": self.max_side, **options}

    def ordered(self, is_over: Callable[[Job], bool]) -> Iterator[Job]:
        """All runs, fold by fold; none waits for another."""
        for fold in range(FOLDS):
            for name in COMPARED:
                yield self.run(name, fold)
