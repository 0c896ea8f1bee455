"""A callback that writes numbers and pictures to TensorBoard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import yaml
from torch.utils.tensorboard import SummaryWriter

from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.evaluate import EvaluationResult

_STANDING = ("step", "lr", "views_per_s", "data_wait", "gradient_norm")


def tag(name: str) -> str:
    """Where a number stands: training's own under ``train/``, an objective's under its name."""
    if name == "loss" or name in _STANDING:
        return f"train/{name}"
    return name.replace(".", "/", 1) if name.count(".") == 1 else "/".join(name.split(".", 2))


def _said_later(before: Callable[[Any], object], failed: Any) -> None:
    """Print no traceback of the writer's own thread on a full disk: the next call raises the same, and is a note."""
    if not (isinstance(failed.exc_value, OSError) and type(failed.thread).__module__.startswith("tensorboard.")):
        before(failed)


class TensorBoard(Callback):
    """Writes one run.

    A run that is resumed goes on in the same folder; what was written after the step from which it goes on is
    marked as void, so every step is shown once.

    Args:
        run: The run.
    """

    def __init__(self, run: RunInfo) -> None:
        self.folder = run.folder / "tensorboard"
        threading.excepthook = partial(_said_later, threading.excepthook)
        self.writer = SummaryWriter(str(self.folder), purge_step=run.step + 1 if run.step else None)

    def run_started(self, run: RunInfo) -> None:
        """Write the recipe as text."""
        text = yaml.safe_dump(dict(run.recipe), sort_keys=False)
        self.writer.add_text("recipe", "    " + text.replace("\n", "\n    "), run.step)

    def step_logged(self, step: int, values: Mapping[str, float]) -> None:
        """Write the numbers of one step."""
        for name, value in values.items():
            if name != "step":
                self.writer.add_scalar(tag(name), value, step)

    def pictures(self, step: int, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Write pictures."""
        for name, picture in pictures.items():
            self.writer.add_image(name, picture, step, dataformats="HWC")

    def evaluated(self, step: int, row: str, results: Mapping[str, EvaluationResult]) -> None:
        """Write metrics and pictures of one row of the report, each row under its own name."""
        row_tag = row.replace(" ", "_")
        for name, result in results.items():
            for metric, value in result.metrics.items():
                self.writer.add_scalar(f"{name}/{metric}/{row_tag}", value, step)
            for title, picture in result.pictures.items():
                self.writer.add_image(f"{name}/{title}/{row_tag}", picture, step, dataformats="HWC")
        self.writer.flush()

    def checkpoint_written(self, step: int, folder: object) -> None:
        """Hand what was written to the system, so that it is as new as the checkpoint."""
        self.writer.flush()

    def hint(self) -> str:
        """The command that shows this run."""
        return f"tensorboard --logdir {self.folder}"

    def run_ended(self, step: int, status: Literal["done", "stopped", "failed"]) -> None:
        """Close the files."""
        self.writer.close()
