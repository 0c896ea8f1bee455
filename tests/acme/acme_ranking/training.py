"""What a run is made of besides data, network and loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch

from rankhub.interfaces.callback import Callback, Request, RunInfo
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.options import DataName, Gt, OutputName, Scheduled
from rankhub.interfaces.schedule import Clock, Schedule
from rankhub_active.acquire import Acquired, Acquirer, PoolSource, Rows


class Descent(Optimizer, torch.optim.SGD):
    """Descent.

    Args:
        lr: Learning rate.
    """

    def __init__(self, params: Any, /, *, lr: Annotated[Scheduled, Gt(0)] = 0.1) -> None:
        torch.optim.SGD.__init__(self, params, lr=lr)


class Half(Schedule):
    """1, then a half."""

    def value(self, clock: Clock) -> float:
        return 1.0 if clock.progress < 0.5 else 0.5


class Error(Evaluator):
    """Mean absolute distance from the scores.

    Args:
        scored: Which data set.
        output: Which score.
    """

    lower_is_better = frozenset({"distance"})
    needs_heads = True

    def __init__(self, *, scored: DataName, output: OutputName) -> None:
        self.scored, self.output = scored, output

    def headline(self) -> Sequence[str]:
        return ["distance"]

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        table = source.outputs(self.scored, self.output)
        assert table.labels is not None
        return EvaluationResult({"distance": float(np.abs(np.asarray(table.values) - table.labels).mean())})


class Highest(Acquirer):
    """The images with the highest scores.

    Args:
        output: Which score.
    """

    def __init__(self, *, output: OutputName) -> None:
        self.output = output

    def __call__(self, source: PoolSource, labeled: Rows, candidates: Rows, count: int) -> Acquired:
        scores = np.asarray(source.outputs(self.output, candidates).values, dtype=np.float64)
        return Acquired(candidates[np.argsort(-scores, kind="stable")[:count]], scores, ["the highest come first"])


class Diary(Callback):
    """Writes each step into a file of the run's folder.

    Args:
        file: Its name.
    """

    def __init__(self, *, file: str = "diary.txt") -> None:
        self.file, self.path = file, Path()

    def run_started(self, run: RunInfo) -> Request | None:
        self.path = run.folder / self.file
        return None

    def step_logged(self, step: int, values: Mapping[str, float]) -> Request | None:
        with self.path.open("a") as out:
            out.write(f"{step}\n")
        return None
