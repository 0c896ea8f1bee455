"""What lies in the folder of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from comparison.jobs import Job

RECORD = "comparison.json"
"""Written into a run's folder when its command has ended well; with it, the run is there."""
AFTER, BEFORE, PIXELS = "after_training", "before_training", "raw_pixels"


class RunError(Exception):
    """A run that is there cannot be used; its text is for the user."""


Metrics = dict[str, float]
"""``knn accuracy`` -> number, as the columns of results.csv."""


def is_done(job: Job) -> bool:
    """Whether the run is there and need not be repeated."""
    return (job.folder / RECORD).is_file()


def write_record(job: Job, seconds: float) -> None:
    """Say that the run is there.

    Args:
        job: The run.
        seconds: What its command took in all, of the last start if it was interrupted.
    """
    record = {"recipe": job.recipe, "overrides": job.overrides, "forwards": job.forwards, "seconds": round(seconds, 1)}
    beside = job.folder / (RECORD + ".partial")
    beside.write_text(json.dumps(record, indent=1) + "\n")
    beside.replace(job.folder / RECORD)


def read_record(job: Job) -> dict[str, Any]:
    """What :func:`write_record` wrote."""
    return dict(json.loads((job.folder / RECORD).read_text()))


def metrics(folder: Path, row: str = AFTER) -> Metrics:
    """The metrics of one row of a run's report; empty if it has no such row."""
    path = folder / "evaluation" / row / "metrics.json"
    if not path.is_file():
        return {}
    stored = json.loads(path.read_text())
    return {f"{name} {key}": value for name, found in stored.items() for key, value in found["metrics"].items()}


def curve(folder: Path, metric: str, steps: int, forwards: int) -> list[tuple[int, float]]:
    """Encoder forwards -> metric, from before training to the end."""
    points = {0: BEFORE, steps: AFTER}
    points |= {int(path.name[5:]): path.name for path in (folder / "evaluation").glob("step_*")}
    found = [(step, metrics(folder, row).get(metric)) for step, row in sorted(points.items())]
    return [(step * forwards // steps, value) for step, value in found if value is not None]


def steps(folder: Path) -> int:
    """Steps of the last checkpoint.

    Raises:
        RunError: There is none.
    """
    return int(_state(folder)["step"])


def views(folder: Path) -> int:
    """Encoder forwards that the run itself has counted, those of a teacher left out."""
    return int(_state(folder)["facts"]["views"])


def _state(folder: Path) -> dict[str, Any]:
    last = max((folder / "checkpoints").glob("step_*/state.json"), default=None)
    if last is None:
        raise RunError(f"{folder} has no checkpoint; delete the folder to do the run again")
    return dict(json.loads(last.read_text()))


def views_per_second(folder: Path) -> float | None:
    """Views per second of training as the run logged last, evaluation and the slow first step left out."""
    path = folder / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    rates = [line["views_per_s"] for line in lines if line.get("views_per_s")]
    return float(rates[-1]) if rates else None


def has_teacher(folder: Path) -> bool:
    """Whether a teacher sees each view too."""
    recipe = yaml.safe_load((folder / "recipe.resolved.yaml").read_text())
    return "teacher" in ((recipe.get("average") or {}).get("use_for") or [])


@dataclass(frozen=True)
class Final:
    """A final run, as the table needs it.

    Attributes:
        seed: Its seed.
        metrics: After training.
        untrained: Before training.
        pixels: Of the pixels themselves.
        curve: Encoder forwards and the metric that chooses.
        rate: Views per second.
        teacher: Whether a teacher saw each view too.
    """

    seed: int
    metrics: Metrics
    untrained: Metrics
    pixels: Metrics
    curve: list[tuple[int, float]]
    rate: float | None
    teacher: bool


def read_final(job: Job, metric: str) -> Final:
    """Read a final run that is there.

    Raises:
        RunError: The run did not do the encoder forwards that were planned, or files are missing.
    """
    counted = views(job.folder)
    if counted != job.forwards:
        raise RunError(f"{job.folder} did {counted:,} encoder forwards, planned were {job.forwards:,}")
    points = curve(job.folder, metric, steps(job.folder), job.forwards)
    return Final(
        job.number,
        metrics(job.folder),
        metrics(job.folder, BEFORE),
        metrics(job.folder, PIXELS),
        points,
        views_per_second(job.folder),
        has_teacher(job.folder),
    )
