"""Notices when a run waits for its images, and says once what would help."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rankhub.interfaces.callback import Callback, RunInfo
from rankhub_train.waiting import cores

log = logging.getLogger("rankhub")

SHARE = 0.25
"""Of the time, from which on waiting is worth a line."""

WINDOW = 30.0
"""Seconds over which it is taken, so that a slow start or one slow file says nothing."""


class DataBound(Callback):
    """Adds up ``data_wait``, the seconds that a step's device without work waited for its batch."""

    def __init__(self, run: RunInfo) -> None:
        self.recipe = run.recipe
        self.said = False
        self._step, self._start = 0, 0.0  # where the window begins
        self._last, self._waited = 0, 0.0  # last step of which the wait is known, and seconds since the beginning

    def step_logged(self, step: int, values: Mapping[str, float]) -> None:
        """Look at the waiting over the window that a step ends, if it does."""
        wait = values.get("data_wait")
        if self.said or wait is None:
            return
        now = time.perf_counter()
        if self._step == 0:  # what came before, such as processes that start, counts as no waiting
            self._step = self._last = step
            self._start = now
            return
        self._waited += wait * (step - self._last)
        self._last = step
        if now - self._start < WINDOW:
            return
        share = self._waited / (now - self._start)
        if share > SHARE:
            self.said = True
            log.warning(
                "training waits for its images %.0f %% of the time; %s",
                100 * min(1.0, share),
                "; or ".join(advice(self.recipe, cores())),
            )
        self._step, self._start, self._waited = step, now, 0.0


def advice(recipe: Mapping[str, Any], cores: int) -> Iterator[str]:
    """What a recipe, as resolved, could do to have its images sooner, on a machine of so many cores."""
    workers = recipe["loader"]["workers"]
    if workers < cores - 1:
        yield f"set loader.workers={cores - 1} (now {workers}), processes that read and distort images beside training"
    yield "keep images smaller (`resize` of the data set), so that reading takes less"
    once = [name for name, stream in recipe["streams"].items() if stream.get("draws") is None]
    if once:
        yield f"make views fewer times, as with streams.{once[0]}.draws=4 where what makes them keeps a cache"
