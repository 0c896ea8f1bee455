"""A callback that tells another program of a run, beside the training and without ever ending it."""

from __future__ import annotations

import csv
import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.errors import brief
from rankhub.interfaces.evaluate import EvaluationResult
from rankhub_tracking.settings import flat
from rankhub_tracking.state import TrackerState, journaled, state_file

PACE, MOST = 2.0, 500
"""Seconds, and steps, of which the numbers are sent together."""
AGAIN = 30.0
"""Seconds after which what has failed is tried again."""
WAIT = 60.0
"""Seconds for which the end of a run waits for a tracker."""
FILES = ("recipe.yaml", "recipe.resolved.yaml", "results.csv")
"""Of the run's folder, which go along at the end where they are there."""

Status = Literal["done", "stopped", "failed"]

log = logging.getLogger("rankhub")


class Numbers(NamedTuple):
    """Numbers of one step, and when they came, in seconds since 1970."""

    step: int
    time: float
    values: Mapping[str, float]


class Tracker(Callback):
    """Tells a tracker of one run. Derive, and say how: :meth:`begin` and :meth:`numbers` suffice.

    All methods that derived classes have are called one after the other in a thread of its own, so that no server
    holds up the training. What they raise is one warning; the same is tried again every 30 s, and once more at the end,
    where what is lost is said again. Only the first of several processes has trackers.

    A run that is resumed goes on with the tracker's run, whose id is kept in ``trackers/`` of its folder. Each step is
    told once: those that the tracker has are left out, those that it lacks are read from ``metrics.jsonl``.

    Args:
        name: What it is called in sentences and in the name of that file.
        place: Where it tells to (a server and a project); another place is another run of the tracker.
        checkpoint: Whether the last checkpoint goes along at the end.
    """

    def __init__(self, name: str, place: str = "", *, checkpoint: bool = False) -> None:
        self.name, self.place, self.checkpoint = name, place, checkpoint
        self.reason = ""
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._rows: list[Numbers] = []
        self._sent_at = 0.0
        self._closing, self._lost, self._warned = threading.Event(), False, False
        self._told, self._thread, self._last_checkpoint = TrackerState(), threading.Thread(), Path()

    @abstractmethod
    def begin(self, run: RunInfo, known: str) -> str:
        """Begin a run of the tracker, or go on with the one of the id ``known``, where that is not empty and it exists.

        Returns:
            Its id. One that is not ``known`` is told all from the beginning.
        """

    def last_step(self) -> int | None:
        """The last step whose numbers the tracker has, after :meth:`begin`; None: what is kept in the folder holds."""
        return None

    def parameters(self, values: Mapping[str, Any]) -> None:
        """The resolved recipe, flat; for a run that the tracker did not know."""

    @abstractmethod
    def numbers(self, rows: Sequence[Numbers]) -> None:
        """Numbers of steps in order; either all of them count as told, or, where it raises, all are told again."""

    def picture(self, step: int, name: str, picture: npt.NDArray[np.uint8]) -> None:
        """A picture [H, W, 3] uint8."""

    def table(self, step: int, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """A table of an evaluator, of the references and at the end, or ``results``, the closing table."""

    def file(self, path: Path) -> None:
        """A file of the run's folder, or the folder of a checkpoint, to be kept as an artifact."""

    def end(self, status: Status) -> None:
        """The run has ended."""

    def run_started(self, run: RunInfo) -> None:
        """Begin beside the training."""
        self.run, self._started = run, time.time()
        self._state = state_file(run.folder, self.name, self.place)
        self._put(self._begin)
        self._thread = threading.Thread(target=self._work, daemon=True, name=f"tracker {self.name}")
        self._thread.start()

    def step_logged(self, step: int, values: Mapping[str, float]) -> None:
        """Keep the numbers of a step to be sent with those of others."""
        self._rows.append(Numbers(step, time.time(), {key: v for key, v in values.items() if key != "step"}))
        if time.monotonic() - self._sent_at >= PACE or len(self._rows) >= MOST:
            self._flush()

    def pictures(self, step: int, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Send pictures of views."""
        for name, picture in pictures.items():
            self._once(f"{name} at {step}", partial(self.picture, step, name, picture))

    def evaluated(self, step: int, row: str, results: Mapping[str, EvaluationResult]) -> None:
        """Send metrics and pictures of a row, that of a reference under its own name; tables of the first and last."""
        end = f"/{row}" if step == 0 else ""
        values = {f"{name}/{key}{end}": float(v) for name, found in results.items() for key, v in found.metrics.items()}
        now = time.time()
        self._once(row, lambda: self.numbers([Numbers(step, now, values)]))
        for name, found in results.items():
            for title, picture in found.pictures.items():
                key = f"{name}/{title}{end}"
                self._once(f"{key} at {step}", partial(self.picture, step, key, picture))
            for title, rows in found.tables.items() if step in (0, self.run.steps) else ():
                key = f"{name}/{title}/{row}"
                self._once(f"{key} table", partial(self.table, step, key, rows))

    def checkpoint_written(self, step: int, folder: Path) -> None:
        """Hand over what there is, so that the tracker is as new as the checkpoint."""
        self._last_checkpoint = folder
        self._flush()

    def run_ended(self, step: int, status: Status) -> None:
        """Send the rest, wait for that, and say what is lost."""
        self._flush()
        if status == "done" and (closing := self.run.folder / "results.csv").exists():
            self._put(lambda: self.table(step, "results", _rows(closing)))
        for name in FILES:
            if (path := self.run.folder / name).exists():
                self._put(partial(self.file, path))
        if self.checkpoint and self._last_checkpoint.is_dir():
            self._put(lambda: self.file(self._last_checkpoint))
        self._put(lambda: self.end(status))
        self._queue.put(None)
        self._closing.set()
        self._thread.join(WAIT)
        self._speak()
        if self._thread.is_alive() or self._lost:
            why = self.reason or f"it has not answered for {WAIT:.0f} s"
            log.warning(
                f"{self.name} lacks a part of the run, for {why}; all is in {self.run.folder}, and "
                f"`rankhub run --resume {self.run.folder}` tells it what it lacks"
            )
        elif self.reason:
            log.warning(f"{self.name} had failed ({self.reason}), and has been told all by now")

    def _put(self, call: Callable[[], object]) -> None:
        self._queue.put(call)
        self._speak()

    def _speak(self) -> None:
        """Warn of the first failure; in the thread of the training, where whoever listens expects it."""
        if self.reason and not self._warned:
            self._warned = True
            log.warning(f"{self.name} fails: {self.reason}; the training goes on, and it is tried again")

    def _flush(self) -> None:
        self._sent_at = time.monotonic()
        if self._rows:
            rows, self._rows = self._rows, []
            self._put(lambda: self._send(rows))

    def _once(self, thing: str, call: Callable[[], object]) -> None:
        """Tell something that is told once a run, after the numbers before it."""

        def told() -> None:
            if thing not in self._told.things:
                call()
                self._told.things.append(thing)
                self._told.write(self._state)

        self._flush()
        self._put(told)

    def _begin(self) -> None:
        known = TrackerState.read(self._state)
        found = self.begin(self.run, known.id)
        self._told = known if found == known.id else TrackerState(id=found)
        self._told.write(self._state)
        if "parameters" not in self._told.things:
            self.parameters(flat(self.run.recipe))
            self._told.things.append("parameters")
        has = self.last_step()
        self._told.step = self._told.step if has is None else has
        lacking = journaled(self.run.folder / "metrics.jsonl", self._told.step, self.run.step)
        rows = [Numbers(step, self._started, {k: v for k, v in all_.items() if k != "step"}) for step, all_ in lacking]
        for first in range(0, len(rows), MOST):
            self._send(rows[first : first + MOST])
        self._told.write(self._state)

    def _send(self, rows: Sequence[Numbers]) -> None:
        new = [row for row in rows if row.step > self._told.step]
        if new:
            self.numbers(new)
            self._told.step = new[-1].step
            self._told.write(self._state)

    def _work(self) -> None:
        """The thread: one call after the other, each until it succeeds or the run has ended."""
        for call in iter(self._queue.get, None):
            while not self._tried(call):
                if self._closing.is_set():
                    self._lost = True
                    return
                self._closing.wait(AGAIN)

    def _tried(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except (Exception, SystemExit) as error:
            log.debug("%s", self.name, exc_info=error)
            self.reason = self.reason or brief(error).rstrip(".")
            return False
        return True


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{key or "row": _number(cell) for key, cell in row.items()} for row in csv.DictReader(file)]


def _number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell
