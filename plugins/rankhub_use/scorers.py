"""Anything that gives an image a number: a run, an ONNX file, a function."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import rankhub
from rankhub import UserError
from rankhub_use.meaning import file_digest
from rankhub_use.onnx import open_onnx

if TYPE_CHECKING:
    from rankhub import Run

Picture = npt.NDArray[np.uint8]
"""[H, W, 3] RGB."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """What is audited.

    Attributes:
        name: As it was named.
        score: Images that are scored together -> one number each.
        higher_is_better: Which way the numbers run.
        about: What it is, as plain data.
        run: The run, if it is one.
        counts: Whether the number is one of things, of which more are not better.
    """

    name: str
    score: Callable[[Sequence[Picture]], list[float]]
    higher_is_better: bool
    about: dict[str, Any]
    run: Run | None = None
    counts: bool = False

    @property
    def direction(self) -> str:
        """Which way the numbers run, in words."""
        return "higher is more" if self.counts else f"{'higher' if self.higher_is_better else 'lower'} is better"


def scorer_for(name: str, lower_is_better: bool, changes: Sequence[str] = (), output: str | None = None) -> Scorer:
    """The scorer that a name means: the folder of a run, an ``.onnx`` file, or ``module:function``.

    Args:
        name: It.
        lower_is_better: Which way a file's or a function's numbers run; a run says so itself.
        changes: Overrides of a run's recipe.
        output: Which number of a run, by its column in ``rankhub predict``; None = the first.

    Raises:
        UserError: There is none, or it cannot be used.
    """
    if Path(name).expanduser().is_dir():
        if lower_is_better:
            raise UserError("--lower-is-better goes with a file or a function; a run knows which way its numbers run")
        return _of_run(name, changes, output)
    if changes or output is not None:
        raise UserError(f"--set and --output go with a run's folder, which {name} is not")
    if name.lower().endswith(".onnx"):
        score = _onnx(name)
        about = {"onnx": name, "blake2b": file_digest(Path(name).expanduser())}
        return Scorer(name, score, not lower_is_better, about)
    if ":" in name:
        return Scorer(name, _function(name), not lower_is_better, {"function": name})
    raise UserError(f"{name} is no scorer: name a run's folder, an .onnx file, or module:function")


def _of_run(name: str, changes: Sequence[str], output: str | None) -> Scorer:
    run = rankhub.load_run(Path(name).expanduser(), overrides=changes)
    columns = {column: key for key, column in run.columns.items()}
    if not columns:
        raise UserError("no head of this run gives one number an image, so that there is nothing to audit")
    column = next(iter(columns)) if output is None else output
    if column not in columns:
        raise UserError(f"--output: there is no number {column!r}; there are {', '.join(columns)}")
    label = run.labels[columns[column]]

    def score(images: Sequence[Picture]) -> list[float]:
        return [float(one.values[column]) for one in run.predict(list(images), batch_size=len(images))]

    about = {"run": str(run.path.absolute()), "weights": str(run.weights.absolute()), "output": column}
    higher = label.kind != "score" or label.higher_is_better
    return Scorer(name, score, higher, about, run, counts=label.kind == "points")


def _function(name: str) -> Callable[[Sequence[Picture]], list[float]]:
    module, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` has it
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"the function {name} cannot be imported: {error}") from None
    if not callable(function):
        raise UserError(f"{name} is no function")

    def score(images: Sequence[Picture]) -> list[float]:
        return [_number(function(image.copy()), name) for image in images]

    return score


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise UserError(f"{name} gave a {type(value).__name__} for an image; it must give one number") from None
    if not math.isfinite(number):
        raise UserError(f"{name} gave {number} for an image; it must give a finite number")
    return number


def _onnx(name: str) -> Callable[[Sequence[Picture]], list[float]]:
    """Takes RGB, uint8 or float32 in [0, 1], channels first or last; where it has a fixed size, images are resized."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file {name}")
    call, session = open_onnx(path, name)
    inputs = session.get_inputs()
    shape, taken = (list(inputs[0].shape), inputs[0].type) if inputs else ([], "")
    kinds = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
    if len(inputs) != 1 or len(shape) != 4 or taken not in kinds or 3 not in (shape[1], shape[3]):
        said = "; ".join(f"{one.name}, {one.type} {one.shape}" for one in inputs) or "nothing"
        raise UserError(f"{name} must take one input [n, 3, H, W] or [n, H, W, 3], uint8 or float32; it takes {said}")
    first = shape[1] == 3
    size = [side if isinstance(side, int) else None for side in (shape[2:] if first else shape[1:3])]
    most = shape[0] if isinstance(shape[0], int) else None
    if most not in (None, 1):
        raise UserError(f"{name} takes exactly {most} images at a time; write it for any number, or for one")

    def stack(images: Sequence[Picture]) -> npt.NDArray[Any]:
        made = np.stack([_resized(image, size[0], size[1]) for image in images])
        laid = made.transpose(0, 3, 1, 2) if first else made
        return np.ascontiguousarray(laid if taken == "tensor(uint8)" else laid.astype(np.float32) / 255)

    def score(images: Sequence[Picture]) -> list[float]:
        found: list[float] = []
        start = 0
        while start < len(images):
            end = start + 1  # images of one size pass together
            while end < len(images) and images[end].shape == images[start].shape and most is None:
                end += 1
            said = call({inputs[0].name: stack(images[start:end])})[0]
            if not isinstance(said, np.ndarray) or said.size != end - start:
                gave = f"{list(said.shape)}" if isinstance(said, np.ndarray) else f"a {type(said).__name__}"
                raise UserError(f"{name} gives {gave} for {end - start} images; it must give one number an image")
            found += [_number(value, name) for value in said.ravel()]
            start = end
        return found

    return score


def _resized(image: Picture, height: int | None, width: int | None) -> Picture:
    wanted = (width or image.shape[1], height or image.shape[0])
    if wanted == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(Image.fromarray(image).resize(wanted, Image.Resampling.BILINEAR))
