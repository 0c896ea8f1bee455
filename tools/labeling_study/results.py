"""What the rounds have found."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling_study.plan import CHANCE, Plan

FINISHED = "finished"
"""In a folder of labeling of the experiment: the metrics after each round, named by the number of labels."""

Curve = dict[int, float]
"""Labels -> the metric."""


@dataclass(frozen=True)
class Found:
    """The metric of every acquirer and seed that is there.

    Attributes:
        plan: The experiment.
        sign: 1 where the higher value is the better one, else -1.
        curves: Acquirer -> seed -> curve.
    """

    plan: Plan
    sign: float
    curves: Mapping[str, Mapping[int, Curve]]

    def whole(self, name: str) -> dict[int, Curve]:
        """The curves of an acquirer that are there to the end of the budget."""
        return {seed: curve for seed, curve in self.curves.get(name, {}).items() if set(curve) == set(self.plan.labels)}

    def paired(self, name: str) -> dict[int, tuple[Curve, Curve]]:
        """Seed -> whole curves of the acquirer and of chance."""
        own, chance = self.whole(name), self.whole(CHANCE)
        return {seed: (own[seed], chance[seed]) for seed in own if seed in chance}

    def target(self, seeds: Sequence[int]) -> float:
        """What chance reaches with the whole budget, the mean over seeds."""
        return statistics.fmean(self.whole(CHANCE)[seed][self.plan.budget] for seed in seeds)

    def needed(self, name: str) -> int | None:
        """Labels from which on the acquirer's mean is as good as :meth:`target`, of the same seeds; None if never."""
        seeds = list(self.paired(name))
        if not seeds:
            return None
        curves, target = self.whole(name), self.target(seeds)
        return first_at(
            {n: statistics.fmean(curves[seed][n] for seed in seeds) for n in self.plan.labels}, target, self.sign
        )

    def needed_by_seed(self, name: str) -> dict[int, int | None]:
        """Seed -> labels from which on its own curve is as good as :meth:`target`; None if never."""
        seeds = list(self.paired(name))
        return {seed: first_at(self.whole(name)[seed], self.target(seeds), self.sign) for seed in seeds}

    def gains(self, name: str) -> list[float]:
        """Seed by seed how much better the acquirer is than chance, the mean over the rounds after the first."""
        later = self.plan.labels[1:]
        return [
            statistics.fmean(self.sign * (own[n] - chance[n]) for n in later)
            for own, chance in self.paired(name).values()
        ]


def first_at(curve: Mapping[int, float], target: float, sign: float) -> int | None:
    """The least number of labels at which a curve is as good as ``target``; None if it is nowhere."""
    return next((n for n in sorted(curve) if sign * curve[n] >= sign * target), None)


def read(plan: Plan, out: Path, sign: float) -> Found:
    """What is there of an experiment.

    Raises:
        ValueError: The recipe does not measure the metric; one sentence.
    """
    evaluator, _, metric = plan.metric.partition(".")
    curves: dict[str, dict[int, Curve]] = {}
    for name in plan.acquirers:
        for seed in plan.seeds:
            for labels in plan.labels:
                file = out / name / f"seed{seed}" / FINISHED / f"{labels}.json"
                if not file.is_file():
                    continue
                found = json.loads(file.read_text())
                if metric not in found.get(evaluator, {}).get("metrics", {}):
                    there = [f"{label}.{one}" for label, part in found.items() for one in part["metrics"]]
                    raise ValueError(f"--metric {plan.metric}: the recipe measures {', '.join(there)}")
                curves.setdefault(name, {}).setdefault(seed, {})[labels] = found[evaluator]["metrics"][metric]
    return Found(plan, sign, curves)
