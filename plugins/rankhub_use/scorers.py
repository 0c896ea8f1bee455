"""Anything that gives an image a number: a run, an ONNX file, a function."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import rankhub
from rankhub import UserError
from rankhub_use.meaning import file_digest

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
    """

    name: str
    score: Callable[[Sequence[Picture]], list[float]]
    higher_is_better: bool
    about: dict[str, Any]
    run: Run | None = None


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
    return Scorer(name, score, label.kind != "score" or label.higher_is_better, about, run)


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
    if find_spec("onnxruntime") is None:
        raise UserError("an .onnx file needs the package onnxruntime: pip install rankhub[onnx]")
    import onnxruntime

    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"there is no file {name}")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own types, one for each kind of damage
        raise UserError(f"{name} cannot be loaded: {str(error).splitlines()[0]}") from None
    (given, *more) = session.get_inputs()
    shape = list(given.shape)
    kinds = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
    if more or len(shape) != 4 or given.type not in kinds or 3 not in (shape[1], shape[3]):
        raise UserError(f"{name} must take one input [n, 3, H, W] or [n, H, W, 3], uint8 or float32; it has {shape}")
    first = shape[1] == 3
    size = [side if isinstance(side, int) else None for side in (shape[2:] if first else shape[1:3])]
    most = shape[0] if isinstance(shape[0], int) else None

    def stack(images: Sequence[Picture]) -> npt.NDArray[Any]:
        made = np.stack([_resized(image, size[0], size[1]) for image in images])
        laid = made.transpose(0, 3, 1, 2) if first else made
        return np.ascontiguousarray(laid if given.type == "tensor(uint8)" else laid.astype(np.float32) / 255)

    def score(images: Sequence[Picture]) -> list[float]:
        found: list[float] = []
        start = 0
        while start < len(images):
            end = start + 1  # images of one size pass together
            while end < len(images) and images[end].shape == images[start].shape and most is None:
                end += 1
            said = np.asarray(session.run(None, {given.name: stack(images[start:end])})[0]).reshape(end - start, -1)
            if said.shape[1] != 1:
                raise UserError(f"{name} gives {said.shape[1]} numbers an image; it must give one")
            found += [_number(value, name) for value in said[:, 0]]
            start = end
        return found

    return score


def _resized(image: Picture, height: int | None, width: int | None) -> Picture:
    wanted = (width or image.shape[1], height or image.shape[0])
    if wanted == (image.shape[1], image.shape[0]):
        return image
    return np.asarray(Image.fromarray(image).resize(wanted, Image.Resampling.BILINEAR))
