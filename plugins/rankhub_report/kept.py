"""What a run's folder keeps, read without trust: damaged or foreign files are passed over and named.

A folder may come from a stranger: nothing is executed, links that lead out of it are not followed, sizes are bounded.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from rankhub import UserError

RESOLVED, JOURNAL, RESULTS = "recipe.resolved.yaml", "metrics.jsonl", "results.csv"
MOST_BYTES = 64 * 2**20
"""A file of text that is larger is not read."""
MOST_ROWS = 20_000
"""Rows of a table that are read."""
AFTER, BEFORE = "after_training", "before_training"

Table = list[dict[str, str]]


@dataclass
class Kept:
    """What was found in a run's folder.

    Attributes:
        path: The folder.
        name: What it is called in the report.
        recipe: The text of the recipe as resolved.
        start: Facts of the run's start: ``recipe`` as plain data, ``data``.
        lock: Versions, platform, overrides, command.
        curves: Name of a number -> (steps, values), None where a value is not finite.
        rows: Row of the report, such as ``after_training`` -> ``EVALUATOR METRIC`` -> value.
        closing: The closing table; empty if the run has none.
        tables: Name of an evaluator's table after training -> rows.
        evaluated: Pictures of the latest row that has any, by name.
        pictures: Views as the network saw them, by name.
        notes: What could not be read, and what evaluators noted.
        seconds: From the oldest to the newest file of the run; None if they cannot tell.
    """

    path: Path
    name: str
    recipe: str = ""
    start: Mapping[str, Any] = field(default_factory=dict)
    lock: Mapping[str, Any] = field(default_factory=dict)
    curves: dict[str, tuple[list[int], list[float | None]]] = field(default_factory=dict)
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    closing: Table = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    evaluated: dict[str, Path] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float | None = None

    @property
    def last_step(self) -> int:
        """The last step of the journal; 0 without one."""
        return max((steps[-1] for steps, _ in self.curves.values() if steps), default=0)

    @property
    def plain(self) -> Mapping[str, Any]:
        """The recipe as plain data; empty where it is not known."""
        recipe = self.start.get("recipe")
        return recipe if isinstance(recipe, dict) else {}


def read_run(folder: Path) -> Kept:
    """Read a run's folder.

    Raises:
        UserError: It is none.
    """
    if not _inside(folder / RESOLVED, folder):
        raise UserError(f"{folder.absolute()} is no run's folder: {RESOLVED} is not in it")
    whole = folder.resolve()
    run = Kept(folder, f"{whole.parent.name}/{whole.name}" if whole.parent.name else whole.name)
    run.recipe = _text(folder / RESOLVED, run) or ""
    run.start, run.lock = _object(folder / "start.json", run), _object(folder / "lock.json", run)
    _read_journal(run)
    _read_evaluation(run)
    if _inside(folder / RESULTS, folder):
        run.closing = _table(folder / RESULTS, run)
    run.pictures = dict(_pictures(folder / "pictures", run))
    times = [path.stat().st_mtime for path in (folder / "lock.json", folder / JOURNAL, folder / RESULTS) if _is(path)]
    run.seconds = max(times) - min(times) if len(times) > 1 else None
    return run


def _inside(path: Path, folder: Path) -> bool:
    """Whether it is a plain file of that folder, and no link that leads out of it."""
    return _is(path) and path.resolve().is_relative_to(folder.resolve())


def _is(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _text(path: Path, run: Kept) -> str | None:
    """A file's text; None, with a note, where it cannot be read."""
    if not _inside(path, run.path):
        return None
    try:
        if path.stat().st_size > MOST_BYTES:
            run.notes.append(f"{path.name} is larger than {MOST_BYTES >> 20} MiB and is left out")
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        run.notes.append(f"{path.name} cannot be read ({error.strerror})")
        return None


def _object(path: Path, run: Kept) -> Mapping[str, Any]:
    text = _text(path, run)
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        run.notes.append(f"{path.relative_to(run.path).as_posix()} is damaged and is left out")
        return {}
    return found


def _read_journal(run: Kept) -> None:
    damaged = 0
    for line in (_text(run.path / JOURNAL, run) or "").splitlines():
        try:
            values = json.loads(line)
            step = values["step"]
        except (ValueError, KeyError, TypeError, RecursionError):
            damaged += 1
            continue
        if type(step) is not int or abs(step) >= 2**53:  # what a browser counts to
            damaged += 1
            continue
        for name, value in values.items():
            if name != "step" and (value is None or type(value) in (int, float)):
                steps, known = run.curves.setdefault(name, ([], []))
                steps.append(step)
                known.append(finite(value))
    if damaged:
        run.notes.append(f"{damaged} lines of {JOURNAL} are damaged and are left out")


def finite(value: Any) -> float | None:
    """A number of JSON that a chart can show; None for all else."""
    if type(value) not in (int, float) or not abs(value) < sys.float_info.max:
        return None
    return float(value)


def _read_evaluation(run: Kept) -> None:
    home = run.path / "evaluation"
    if not home.is_dir():
        return
    folders = [
        path for path in sorted(home.iterdir(), key=lambda path: (step_of(path.name), path.name)) if path.is_dir()
    ]
    for folder in folders:
        values = {}
        for label, found in _object(folder / "metrics.json", run).items():
            metrics, notes = (found.get("metrics"), found.get("notes")) if isinstance(found, dict) else (None, None)
            for name, value in metrics.items() if isinstance(metrics, dict) else ():
                if (known := finite(value)) is not None:
                    values[f"{label} {name}"] = known
            own = [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []
            run.notes += [note for note in own if note not in run.notes]
        run.rows[folder.name] = values
        pictures = dict(_pictures(folder, run))
        run.evaluated = pictures or run.evaluated
        tables = {path.stem: _table(path, run) for path in sorted(folder.glob("*.csv")) if _inside(path, run.path)}
        run.tables = tables or run.tables


def step_of(row: str) -> float:
    """Where a row of the report stands in time: references first, what was measured after training last."""
    if row == AFTER:
        return math.inf
    number = row.removeprefix("step_")
    return int(number) if row.startswith("step_") and number.isdecimal() and len(number) < 16 else 0


def _pictures(folder: Path, run: Kept) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob("*.png")) if folder.is_dir() else ():
        if _inside(path, run.path):
            yield path.stem, path


def _table(path: Path, run: Kept) -> Table:
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.DictReader(file)
            rows = [
                {str(key): str(value) for key, value in row.items() if key is not None and value is not None}
                for row in islice(reader, MOST_ROWS)
            ]
            if next(reader, None) is not None:
                run.notes.append(f"{path.name} has more than {MOST_ROWS:,} rows; the first are shown")
            return rows
    except (OSError, csv.Error) as error:
        run.notes.append(f"{path.name} cannot be read ({error}) and is left out")
        return []
