"""The checkpoint whose metric was the best so far."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rankhub.engine import checkpoint
from rankhub.engine.evaluation import Results
from rankhub.interfaces.evaluate import Evaluator


class Best:
    """Keeps ``best_step_*`` beside the other checkpoints, which come and go.

    Args:
        folder: ``checkpoints`` of the run's folder.
        wanted: ``EVALUATOR`` (its first headline metric) or ``EVALUATOR.METRIC``, as the recipe's ``keep_best`` says.
        evaluators: By label.
    """

    def __init__(self, folder: Path, wanted: str, evaluators: Mapping[str, Evaluator]) -> None:
        self.folder = folder
        self.label, _, metric = wanted.partition(".")
        evaluator = evaluators[self.label]
        self.metric = metric or evaluator.headline()[0]
        self.sign = evaluator.sign(self.metric)

    def kept(self) -> tuple[Path, float] | None:
        """The best checkpoint and its metric, or None."""
        found = []
        for path in sorted(self.folder.glob("best_step_*")) if self.folder.is_dir() else ():
            if not path.suffix:
                found.append((path, float(json.loads((path / "state.json").read_text())["facts"]["best"])))
        return max(found, key=lambda pair: self.sign * pair[1]) if found else None

    def improves(self, results: Results) -> bool:
        """Whether these are better than all before; a metric that is missing or NaN is not."""
        if self.label not in results or self.metric not in results[self.label].metrics:
            return False
        known = self.kept()
        value = self.sign * results[self.label].metrics[self.metric]
        return value == value if known is None else value > self.sign * known[1]

    def save(self, state: checkpoint.State, results: Results) -> None:
        """Keep this state, and let go of the one that was the best before.

        Raises:
            UserError: It cannot be written.
        """
        place = self.folder / f"best_step_{state.step:09d}"
        shutil.rmtree(place, ignore_errors=True)
        value = results[self.label].metrics[self.metric]
        checkpoint.write(place, replace(state, facts={**state.facts, "best": value}))
        for old in self.folder.glob("best_step_*"):
            if old != place:
                shutil.rmtree(old)
