"""Checkpoints: safetensors for weights, JSON for counters, and one file of tensors for the optimiser.

A checkpoint is a folder, written beside its place and renamed, so that it is there whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rankhub.interfaces.errors import UserError

MODEL, AVERAGE = "model.safetensors", "average.safetensors"
FORMAT = 1
"""Version of the layout; a checkpoint of another one is refused."""


@dataclass(slots=True)
class State:
    """All that training needs to go on.

    Attributes:
        step: Steps done in the run.
        weights: The network's state.
        average: The averaged network's state, or None.
        optimizer: The optimiser's state; tensors and plain numbers only.
        random: Name -> state of a random generator.
        scaler: State of the fp16 scaler.
        facts: Plain numbers and strings, such as the best metric so far.
    """

    step: int
    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor] | None
    optimizer: Mapping[str, Any]
    random: Mapping[str, Tensor]
    scaler: Mapping[str, Any]
    facts: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: ``checkpoints`` of the run's folder.
        keep: How many of the newest stay.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def all(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.glob("step_*") if path.is_dir() and not path.suffix)

    def last(self) -> Path | None:
        """The newest complete checkpoint, or None."""
        found = self.all()
        return found[-1] if found else None

    def save(self, state: State) -> Path:
        """Write a checkpoint, and remove those that are too old.

        Raises:
            UserError: A weight is not finite (nothing is written), or the disk is full.
        """
        place = self.folder / f"step_{state.step:09d}"
        if place.is_dir():
            return place  # the same step of the same run: the same weights
        write(place, state, last=self.last())
        for old in self.all()[: -self.keep]:
            shutil.rmtree(old)
        return place


def write(place: Path, state: State, last: Path | None = None) -> None:
    """Write a checkpoint to ``place``, whole or not at all.

    Args:
        place: Its folder, which is not there yet.
        state: What to write.
        last: The last good checkpoint, for messages.

    Raises:
        UserError: A weight is not finite (nothing is written), or the disk is full.
    """
    broken = [name for name, value in state.weights.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise UserError(
            f"weights are not finite after step {state.step} (first: {broken[0]}); no checkpoint was written, "
            f"last good checkpoint: {last or 'none'}"
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_suffix(".partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        _write(beside, state)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(f"the checkpoint of step {state.step} could not be written to {place}: {error}") from error
    beside.rename(place)
    _sync(place.parent)


def _write(folder: Path, state: State) -> None:
    save_file(_packed(state.weights), folder / MODEL)
    if state.average is not None:
        save_file(_packed(state.average), folder / AVERAGE)
    torch.save({"optimizer": state.optimizer, "random": state.random, "scaler": state.scaler}, folder / "optimizer.pt")
    facts = {"format": FORMAT, "step": state.step, "facts": state.facts}
    (folder / "state.json").write_text(json.dumps(facts, indent=1) + "\n")
    for path in folder.iterdir():
        _sync(path)


def _packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    # safetensors refuses views of one storage; copies keep tied weights loadable.
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in weights.items()}


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load(folder: Path) -> State:
    """Read a checkpoint; nothing in it is executed.

    Raises:
        UserError: A file is missing, broken or of another version; one sentence with its path.
    """
    try:
        facts = json.loads((folder / "state.json").read_text())
        if facts.get("format") != FORMAT:
            raise UserError(f"{folder} is a checkpoint of format {facts.get('format')}, this version reads {FORMAT}")
        average = folder / AVERAGE
        rest = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
        return State(
            step=int(facts["step"]),
            weights=load_file(folder / MODEL),
            average=load_file(average) if average.exists() else None,
            optimizer=rest["optimizer"],
            random=rest["random"],
            scaler=rest["scaler"],
            facts=facts["facts"],
        )
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"checkpoint {folder} is not complete: {error.filename or error}") from error
    except Exception as error:
        raise UserError(f"checkpoint {folder} cannot be read: {error}; remove it to use the one before") from error


def read_weights(place: Path, *, average: bool) -> tuple[dict[str, Tensor], Path]:
    """The weights of a checkpoint, without the rest of its state.

    Args:
        place: A run's folder, whose newest checkpoint is taken, or a checkpoint.
        average: Whether the moving average of the weights is wanted.

    Returns:
        Name -> tensor, and the file that they come from.

    Raises:
        UserError: There is none, or it cannot be read; one sentence.
    """
    folder = place if (place / MODEL).is_file() else Checkpoints(place / "checkpoints", 1).last()
    if folder is None:
        what = "has no checkpoint yet" if place.is_dir() else "is not there"
        raise UserError(f"the run {place.absolute()} {what}; name the folder of a run, or a checkpoint in it")
    file = folder / (AVERAGE if average else MODEL)
    if not file.is_file():
        raise UserError(
            f"the checkpoint {folder.absolute()} keeps no average of the weights; take the weights as they are"
        )
    try:
        return load_file(file), file
    except Exception as error:
        raise UserError(f"the weights {file} cannot be read: {error}; name another checkpoint") from error


def random_state() -> dict[str, Tensor]:
    """State of torch's generators, which dropout draws from."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state |= {f"cuda{number}": value for number, value in enumerate(torch.cuda.get_rng_state_all())}
    return state


def set_random_state(state: Mapping[str, Tensor]) -> None:
    """Put torch's generators back; a CUDA device that is not here any more is passed over."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            if f"cuda{number}" in state:
                torch.cuda.set_rng_state(state[f"cuda{number}"], number)
