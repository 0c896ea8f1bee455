"""The process of one job: train in the job's folder, or resume there, and record the results."""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import FiniteFloat

import rankhub
from rankhub import ChangedError, Interrupted, Run, UserError
from rankhub.interfaces.callback import Callback, Request, RunInfo
from rankhub.interfaces.evaluate import EvaluationResult
from rankhub.interfaces.files import read_json, write_text
from rankhub_console.speech import talking
from rankhub_lock import locked
from rankhub_study.plan import Rounds
from rankhub_study.records import read_record, write_record
from rankhub_train.children import end_with_parent

FAILED, STOPPED, WRONG = 1, 130, 2
"""Exit codes of a job's process: a bug, ended by Ctrl-C, the user can mend it."""
SECONDS, ERROR = "seconds.txt", "error.txt"
"""Beside a job's folder, after its name: what earlier starts took, and the sentence of one that failed."""


@dataclass(frozen=True)
class JobTask:
    """The arguments of a job's process.

    Attributes:
        folder: Of the job.
        recipe: Name or path.
        overlays: Of the recipe.
        overrides: Of the recipe.
        evaluate_at: Shares of the training after which it is measured as well.
        rounds: Of labeling; None = it trains once.
        first: Folder of the first round; None = this is the first round.
        pools: Folder of the pools that jobs share.
    """

    folder: Path
    recipe: str
    overlays: Sequence[str]
    overrides: Sequence[str]
    evaluate_at: Sequence[float] = ()
    rounds: Rounds | None = None
    first: Path | None = None
    pools: Path = Path()


def beside(folder: Path, name: str) -> Path:
    """A file of a job that outlives its folder."""
    return folder.with_name(f"{folder.name}.{name}")


def work(task: JobTask) -> None:
    """Do a job; ends the process with its exit code."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C comes from the study alone, and once
    task.folder.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(beside(task.folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(handle, stream)
    end_with_parent(STOPPED)
    code = execute(task)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def execute(task: JobTask) -> int:
    """Do a job in this process; returns its exit code."""
    begun = time.monotonic()
    error = beside(task.folder, ERROR)
    error.unlink(missing_ok=True)
    try:
        # A process of a study that was killed may need a moment to end.
        with locked(beside(task.folder, "lock"), patience=30.0, sentence=f"another process works in {task.folder}"):
            if read_record(task.folder) is None:
                _do(task, begun)
        return 0
    except (KeyboardInterrupt, Interrupted):
        _add_seconds(task.folder, begun)
        return STOPPED
    except UserError as wrong:
        _say(error, str(wrong))
        return WRONG
    except Exception as bug:
        traceback.print_exc()
        _say(error, f"{type(bug).__name__}: {bug}")
        return FAILED


def _say(file: Path, sentence: str) -> None:
    with suppress(UserError):  # on a full disk there is the exit code alone
        write_text(file, sentence)


def _do(task: JobTask, begun: float) -> None:
    if task.rounds is not None:
        from rankhub_study.rounds import label_in_rounds

        record = label_in_rounds(task)
    else:
        watch = Watch(tuple(task.evaluate_at))
        run = _trained(task, watch)
        if run.stopped:
            raise UserError("the recipe stopped the training before its end, so there is nothing to compare")
        rows = {name: found for name, found in run.measured.items() if found}
        record = {"rows": rows, "steps": watch.steps, "training": watch.training, "pairs": pairs_of(run)}
    record["seconds"] = _add_seconds(task.folder, begun)
    write_record(task.folder, record)


def _trained(task: JobTask, watch: Watch) -> Run:
    if (task.folder / "recipe.resolved.yaml").is_file():
        try:
            return rankhub.resume(task.folder, progress=talking(), callbacks=[watch])
        except ChangedError as changed:
            print(f"begins anew: {changed}")
    shutil.rmtree(task.folder, ignore_errors=True)  # or it ended before its recipe was written
    loaded = rankhub.load_recipe(task.recipe, list(task.overrides), overlays=list(task.overlays), need_data=True)
    return rankhub.train(loaded, task.folder, progress=talking(), callbacks=[watch])


def _add_seconds(folder: Path, begun: float) -> float:
    """Seconds of this start and of those before it."""
    file = beside(folder, SECONDS)
    before: float = (
        read_json(file, FiniteFloat, "remove it; the time of earlier starts is lost") if file.exists() else 0.0
    )
    write_text(file, str(before + time.monotonic() - begun))
    return round(before + time.monotonic() - begun, 2)


def pairs_of(run: Run) -> dict[str, dict[str, list[list[float]]]]:
    """Row of the report -> evaluator -> true and predicted values of every image, from the evaluators' tables."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for name, lines in run.tables.items():
        _, _, file = name.partition("evaluation/")
        row, _, label = file.removesuffix("_images").partition("/")
        columns = list(lines[0]) if lines and file.endswith("_images") else []
        if "predicted" in columns[1:]:
            true = columns[columns.index("predicted") - 1]  # beside it
            values = [[float(line[column]) for line in lines] for column in (true, "predicted")]
            found.setdefault(row.replace("_", " "), {})[label] = values
    return found


@dataclass
class Watch(Callback):
    """Asks for the measurements in the middle of training, and takes the time of training alone.

    Attributes:
        at: Shares of the training.
        steps: Of the run.
    """

    at: tuple[float, ...]
    steps: int = 0
    _wanted: frozenset[int] = field(default_factory=frozenset)
    _last: float | None = None
    _seconds: float = 0.0
    _timed: int = 0

    @property
    def training(self) -> float:
        """Seconds of all steps, without evaluation, from those that were timed in this start."""
        return self._seconds * self.steps / self._timed if self._timed else 0.0

    def run_started(self, run: RunInfo) -> Request | None:
        """Steps at which to measure."""
        self.steps = run.steps
        self._wanted = frozenset(max(1, round(share * run.steps)) for share in self.at)
        return None

    def step_logged(self, step: int, values: Mapping[str, float]) -> Request | None:
        """One more step is done."""
        now = time.monotonic()
        if self._last is not None:
            self._seconds += now - self._last
            self._timed += 1
        self._last = now
        return "evaluate" if step in self._wanted and step < self.steps else None

    def at_once(self, step: int) -> bool:
        """At the steps that are to be measured, and where the clock begins anew."""
        return self._last is None or step in self._wanted

    def evaluated(self, step: int, row: str, results: Mapping[str, EvaluationResult]) -> Request | None:
        """The time until the next step was not training."""
        self._last = None
        return None
