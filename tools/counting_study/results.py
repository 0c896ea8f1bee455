"""What the runs of counting come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison.jobs import Job
from comparison.results import is_done, metrics

BASELINE = "baseline"
"""Name of the line of the mean count, as if it were a method."""


@dataclass(frozen=True)
class Result:
    """Errors of a run on its test images.

    Attributes:
        method: Its name.
        labels: Labeled images.
        seed: Seed.
        mae: Mean absolute error of the counts.
        rmse: Root mean squared error of the counts, which papers print as MSE.
        baseline_mae: The same of always answering the mean count of the labeled images.
        baseline_rmse: The same.
        folder: Of the run.
    """

    method: str
    labels: int
    seed: int
    mae: float
    rmse: float
    baseline_mae: float
    baseline_rmse: float
    folder: Path


def read(job: Job, labels: int) -> Result | None:
    """The errors of a run; None if it is not there."""
    if not is_done(job):
        return None
    found = metrics(job.folder)
    return Result(
        job.method,
        labels,
        job.number,
        found["counting mae"],
        found["counting rmse"],
        found["counting mae_of_training_mean"],
        found["counting rmse_of_training_mean"],
        job.folder,
    )


def errors(results: Sequence[Result], method: str, labels: int, metric: str) -> dict[int, float]:
    """Seed -> error of a method, or of the mean count.

    Args:
        results: All that there are.
        method: Its name, or ``BASELINE``.
        labels: Labeled images.
        metric: ``mae`` or ``rmse``.
    """
    same = [one for one in results if one.labels == labels]
    if method == BASELINE:
        return {one.seed: getattr(one, f"baseline_{metric}") for one in same}
    return {one.seed: getattr(one, metric) for one in same if one.method == method}


def gains(results: Sequence[Result], method: str, labels: int, metric: str = "mae") -> list[float]:
    """Difference of a method to supervised training in percent of the latter, over the seeds that both have."""
    supervised = errors(results, "supervised", labels, metric)
    ours = errors(results, method, labels, metric)
    return [100 * (value / supervised[seed] - 1) for seed, value in ours.items() if seed in supervised]
