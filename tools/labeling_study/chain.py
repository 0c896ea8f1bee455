"""One acquirer and seed: choose, take the true labels, train, and again, through the code of ``rankhub label``."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

import rankhub
from labeling_study.plan import Plan
from labeling_study.results import FINISHED
from labeling_study.truth import IMAGES, LABELS
from rankhub.engine.console import Talk, listening
from rankhub_active.labeling.answers import ingest
from rankhub_active.labeling.choose import Request, choose
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import LABELS as TRAINED_ON
from rankhub_active.labeling.settings import RUNS, Wishes
from rankhub_active.labeling.setup import set_up
from rankhub_active.labeling.train import train

FIRST = "first"
"""Folder of the rounds that all acquirers share: the first one of each seed."""


@dataclass(frozen=True)
class Chain:
    """The rounds of one acquirer with one seed.

    Attributes:
        plan: The experiment.
        out: Its folder.
        name: Of the acquirer.
        seed: Of the recipe, the first labels and the draws.
        threads: CPU threads.
    """

    plan: Plan
    out: Path
    name: str
    seed: int
    threads: int

    @property
    def place(self) -> Path:
        """Its folder of labeling."""
        return self.out / self.name / f"seed{self.seed}"

    def run(self, done: Callable[[int], None] = lambda labels: None) -> None:
        """Do all rounds that are not there; what was begun goes on.

        Args:
            done: Told the number of labels after each round.
        """
        log = self.out / "logs" / f"{self.name}-seed{self.seed}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            talk = listening(Talk(Console(file=file, width=160, highlight=False, soft_wrap=True)))
            self._begin(talk)
            self._rounds(self.place, self.plan.labels, self.plan.acquirers[self.name], talk, done)

    def _begin(self, talk: Talk) -> None:
        """The first round, trained once for all acquirers of a seed, copied."""
        first = self.out / FIRST / f"seed{self.seed}"
        if not (first / "pool.db").is_file():
            shutil.rmtree(first, ignore_errors=True)
            own = [f"seed={self.seed}", f"threads={self.threads}", f"loader.cache={self.out / 'cache'}"]
            loaded = rankhub.load_recipe(self.plan.recipe, [*self.plan.overrides, *own])
            set_up(first, loaded, Wishes(self.out / IMAGES, seed=self.seed), talk.work)
        self._rounds(first, [self.plan.start], {"use": "random"}, talk, lambda labels: None)
        if not self.place.exists():
            beside = self.place.with_name(f"{self.place.name}.partial")
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(first, beside)
            beside.rename(self.place)

    def _rounds(
        self,
        place: Path,
        wanted: Sequence[int],
        acquirer: Mapping[str, Any],
        talk: Talk,
        done: Callable[[int], None],
    ) -> None:
        for number, labels in enumerate(wanted):
            if (place / FINISHED / f"{labels}.json").is_file():
                continue
            pool = Pool(place)
            have = pool.counts().get(("pool", "labeled"), 0)
            if have < labels:
                trained = pool.rounds()[-1].trained is not None
                changes = [f"acquire={json.dumps(dict(acquirer))}"] if trained else []
                chosen = choose(pool, Request(labels - have, changes=changes), talk.work)
                ingest(pool, self._answers(place, {row.path for row in chosen.rows}))
            run = pool.rounds()[-1].trained  # where a stop came between training and what follows it
            if run is None:
                _forget_unfinished(place, {Path(one.trained).name for one in pool.rounds() if one.trained is not None})
                later = list(self.plan.later) if number else []
                ended = train(pool, later, talk, scratch=self.plan.scratch)
                if ended.stopped:
                    raise KeyboardInterrupt
                run = str(ended.run)
            (place / FINISHED).mkdir(exist_ok=True)
            shutil.copyfile(
                Path(run) / "evaluation" / "after_training" / "metrics.json", place / FINISHED / f"{labels}.json"
            )
            shutil.rmtree(Path(run) / "tensorboard", ignore_errors=True)
            done(labels)

    def _answers(self, place: Path, paths: set[str]) -> Path:
        """What people would have said of these images."""
        file = place / "answers.csv"
        with (self.out / LABELS).open(newline="") as source, file.open("w", newline="") as target:
            rows = csv.reader(source)
            writer = csv.writer(target)
            writer.writerow(next(rows))
            writer.writerows(row for row in rows if row[0] in paths)
        return file


def _forget_unfinished(place: Path, trained: set[str]) -> None:
    """Remove a run that was stopped halfway; a round takes a minute, so it is done again."""
    for run in (place / RUNS).glob("*"):
        if run.name not in trained:
            shutil.rmtree(run)
            shutil.rmtree(place / TRAINED_ON / run.name, ignore_errors=True)
