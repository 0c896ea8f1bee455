"""Callbacks watch a run. They cannot change it, only ask to stop, save or evaluate."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.evaluate import EvaluationResult

Request = Literal["stop", "save", "evaluate"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The run that is about to start or to go on: the recipe's name, the run's folder, the resolved recipe.

    ``step`` steps are done already (more than 0 when a run is resumed), of the ``steps`` of the whole run.
    """

    name: str
    folder: Path
    recipe: Mapping[str, Any]
    step: int
    steps: int


class Callback:
    """Every method may be left out. A returned request is carried out after the current step."""

    def run_started(self, run: RunInfo) -> Request | None:
        """Before the first step."""

    def step_logged(self, step: int, values: Mapping[str, float]) -> Request | None:
        """Numbers of one step, in order; ``step`` counts from 1 over all phases. On a GPU several are read together."""

    def at_once(self, step: int) -> bool | None:
        """Whether it must be told of a step before the next one is begun, for which a GPU is waited."""

    def viewed(self, step: int, views: Mapping[str, Batch]) -> Mapping[str, npt.NDArray[np.uint8]] | None:
        """Batches of a phase's streams, now and then. Pictures that are returned are handed to all callbacks."""

    def pictures(self, step: int, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Pictures [H, W, 3] uint8 by name."""

    def epoch_ended(self, step: int, phase: str, epoch: int) -> Request | None:
        """The clock stream of a phase has seen its data once more; ``epoch`` counts from 1."""

    def evaluated(self, step: int, row: str, results: Mapping[str, EvaluationResult]) -> Request | None:
        """A row of the report is there; results by evaluator."""

    def checkpoint_written(self, step: int, folder: Path) -> None:
        """A checkpoint is complete."""

    def hint(self) -> str | None:
        """One line for the end of the run: the command with which to look at what was recorded."""

    def run_ended(self, step: int, status: Literal["done", "stopped", "failed"]) -> None:
        """After the last step, or when the run ends early."""
