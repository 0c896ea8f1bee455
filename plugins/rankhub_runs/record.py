"""Keeps in a run's folder how far it is, how long it has taken, and which of its metrics are better if lower."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import rankhub
from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.files import write_text
from rankhub_runs.reading import PROGRESS, Progress
from rankhub_tracking import flat

RECIPES_OWN = ("name", "optional", "during_training")
"""Keys of an evaluator that are the recipe's, not its own."""


class RunRecord(Callback):
    """Writes ``progress.json`` when a run begins, with each checkpoint, and at the end."""

    def run_started(self, run: RunInfo) -> None:
        """Go on from what is kept."""
        self.run, self.since = run, time.monotonic()
        lower = lower_is_better(run.recipe)
        self.before = 0.0
        with suppress(OSError, ValueError):
            self.before = Progress.model_validate_json((run.folder / PROGRESS).read_bytes()).seconds
        self.progress = Progress(state="training", step=run.step, steps=run.steps, lower_is_better=lower)
        self._write("training", run.step)

    def checkpoint_written(self, step: int, folder: Path) -> None:
        """Keep how far it is."""
        self._write("training", step)

    def run_ended(self, step: int, status: Literal["done", "stopped", "failed"]) -> None:
        """Keep how it ended."""
        self._write(status, step)

    def _write(self, state: Literal["training", "done", "stopped", "failed"], step: int) -> None:
        seconds = self.before + time.monotonic() - self.since
        self.progress = self.progress.model_copy(update={"state": state, "step": step, "seconds": round(seconds, 3)})
        write_text(self.run.folder / PROGRESS, self.progress.model_dump_json(indent=1) + "\n")


def lower_is_better(recipe: Mapping[str, Any]) -> dict[str, list[str]]:
    """Label of an evaluator -> its metrics of which the lower value is the better; none of one that cannot be built."""
    found: dict[str, list[str]] = {}
    specs = recipe.get("evaluate") or []
    labels = dict.fromkeys(path.split(".")[1] for path in flat({"evaluate": specs}) if path.startswith("evaluate."))
    catalog = rankhub.Catalog.discover()
    for label, spec in zip(labels, specs, strict=False):
        own = {key: value for key, value in spec.items() if key not in RECIPES_OWN}
        with suppress(rankhub.UserError):
            found[label] = sorted(catalog.build("evaluator", own).lower_is_better)
    return found
