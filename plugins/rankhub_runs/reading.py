"""What the small files of a run's folder say; imports no torch, and reads neither data nor weights."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from rankhub import UserError
from rankhub.interfaces.files import read_json
from rankhub_lock import RUNNING, held

PROGRESS, START, RESOLVED, RESULTS, METRICS = (
    "progress.json",
    "start.json",
    "recipe.resolved.yaml",
    "results.csv",
    "metrics.jsonl",
)
MARKS = (RESOLVED, START, "lock.json", METRICS)
"""A folder that holds one of these is a run's."""
TAIL = 1 << 16
"""Bytes at the end of ``metrics.jsonl`` that are read."""
REMEDY = "copy the run's folder anew, or remove it"


class Progress(BaseModel):
    """What is kept of how far a run is; ``seconds`` are those of all its starts together."""

    state: Literal["training", "done", "stopped", "failed"]
    step: int
    steps: int
    seconds: float = 0.0
    lower_is_better: dict[str, list[str]] = {}


class _StoredFigures(BaseModel):
    metrics: dict[str, float | int | None]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run's folder, as far as it can be read.

    Attributes:
        folder: Where it is.
        recipe: The recipe's name.
        state: ``finished``, ``interrupted``, ``training now``, ``unknown`` (of an earlier version), ``damaged``.
        step: Steps done.
        steps: Steps of the whole run; None = not known.
        seconds: Time of training and evaluation; None = not known.
        headline: Name and value of the first figure of the closing table; None = there is none.
        problem: What is damaged, in a sentence.
    """

    folder: Path
    recipe: str = ""
    state: str = "damaged"
    step: int = 0
    steps: int | None = None
    seconds: float | None = None
    headline: tuple[str, float] | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of a run: ``row`` names that of the report which they are of, ``lower`` the metrics, if known.

    Names are ``evaluator.metric``; ``known`` are the evaluators of which it is known which way is better.
    """

    row: str
    values: dict[str, float] = field(default_factory=dict)
    lower: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()

    def lower_is_better(self, metric: str) -> bool | None:
        """Which way ``metric`` is better; None = not known."""
        return metric in self.lower if metric.partition(".")[0] in self.known else None


def runs_below(folder: Path) -> Iterator[Path]:
    """The folders of runs in a folder, or it itself, by name.

    Raises:
        UserError: There is no such folder.
    """
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder}; name the one in which runs are, or begin one: rankhub run RECIPE"
        )
    for path, below, files in os.walk(folder):
        below.sort()
        if any(mark in files for mark in MARKS):
            below.clear()
            yield Path(path)


def read_run(folder: Path) -> FoundRun:
    """What is known of a run; what cannot be read is its ``problem``."""
    try:
        progress = _progress(folder)
        step = max(_last_step(folder), progress.step if progress is not None else 0)
        return FoundRun(
            folder,
            _recipe_name(folder),
            _state(folder, progress),
            step,
            progress.steps if progress is not None else None,
            progress.seconds if progress is not None else None,
            _headline(folder),
        )
    except UserError as error:
        return FoundRun(folder, problem=str(error))
    except (OSError, UnicodeDecodeError) as error:
        return FoundRun(folder, problem=f"{folder} cannot be read: {error}; {REMEDY}")


def settings_of(folder: Path) -> dict[str, Any]:
    """The resolved recipe of a run.

    Raises:
        UserError: It is no run, or cannot be read.
    """
    if (folder / START).exists():
        return dict(read_json(folder / START, dict[str, Any], REMEDY)["recipe"])
    if not (folder / RESOLVED).is_file():
        raise UserError(f"{folder} is no run's folder: {RESOLVED} is not in it")
    import yaml

    try:
        found = yaml.load((folder / RESOLVED).read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise UserError(f"{folder / RESOLVED} is damaged: {str(error).splitlines()[0]}; {REMEDY}") from None
    return dict(found) if isinstance(found, dict) else {}


def measured(folder: Path) -> Measured | None:
    """The figures after training, else those of the last evaluation in between; None if there are none.

    Raises:
        UserError: They cannot be read.
    """
    below = folder / "evaluation"
    between = [path for path in below.glob("step_*") if path.name[5:].isdigit()]
    rows = [*sorted(between, key=lambda path: int(path.name[5:])), below / "after_training"]
    row = next((path for path in reversed(rows) if (path / METRICS_OF_ROW).exists()), None)
    if row is None:
        return None
    stored = read_json(row / METRICS_OF_ROW, dict[str, _StoredFigures], REMEDY)
    values = {
        f"{label}.{name}": float("nan") if value is None else float(value)
        for label, one in stored.items()
        for name, value in one.metrics.items()
    }
    progress = _progress(folder)
    lower = progress.lower_is_better if progress is not None else {}
    names = frozenset(f"{label}.{name}" for label, all_ in lower.items() for name in all_)
    return Measured(row.name.replace("_", " "), values, names, frozenset(lower))


METRICS_OF_ROW = "metrics.json"


def _progress(folder: Path) -> Progress | None:
    if not (folder / PROGRESS).exists():
        return None
    found: Progress = read_json(folder / PROGRESS, Progress, "remove it")
    return found


def _recipe_name(folder: Path) -> str:
    if (folder / START).exists():
        recipe = read_json(folder / START, dict[str, Any], REMEDY).get("recipe")
        if isinstance(recipe, dict) and isinstance(recipe.get("name"), str):
            return str(recipe["name"])
        raise UserError(f"{folder / START} is damaged: it names no recipe; {REMEDY}")
    if not (folder / RESOLVED).is_file():
        raise UserError(f"{folder} lacks {RESOLVED}; {REMEDY}")
    name = re.search(r"^name: *[\"']?(.*?)[\"']?\s*$", (folder / RESOLVED).read_text(encoding="utf-8"), re.MULTILINE)
    if name is None:
        raise UserError(f"{folder / RESOLVED} is damaged: it has no name; {REMEDY}")
    return name[1]


def _state(folder: Path, progress: Progress | None) -> str:
    if held(folder / RUNNING):
        return "training now"
    if progress is not None:
        return "finished" if progress.state == "done" else "interrupted"
    return "finished" if (folder / RESULTS).exists() else "unknown"


def _last_step(folder: Path) -> int:
    """The step of the last line that is whole; 0 without lines."""
    try:
        with (folder / METRICS).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            tail = file.read()
    except FileNotFoundError:
        return 0
    for line in reversed(tail.split(b"\n")):
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError, TypeError):
            continue
        if type(step) is int:
            return step
    if tail.strip():
        raise UserError(f"{folder / METRICS} is damaged: none of its last lines is a step's; {REMEDY}")
    return 0


def _headline(folder: Path) -> tuple[str, float] | None:
    if not (folder / RESULTS).exists():
        return None
    with (folder / RESULTS).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if len(rows) < 2 or len(rows[0]) < 2 or len(rows[-1]) != len(rows[0]):
        raise UserError(f"{folder / RESULTS} is damaged: it is no table of figures; {REMEDY}")
    try:
        value = float(rows[-1][1] or "nan")
    except ValueError:
        raise UserError(f"{folder / RESULTS} is damaged: {rows[-1][1]!r} is no number; {REMEDY}") from None
    return rows[0][1], value


def best_of(values: dict[str, float], lower: bool) -> str | None:
    """The key of the best finite value; None if there is none."""
    finite = {key: value for key, value in values.items() if isfinite(value)}
    return (min if lower else max)(finite, key=finite.__getitem__) if finite else None
