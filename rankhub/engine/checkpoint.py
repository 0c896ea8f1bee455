"""Checkpoints: safetensors for weights, JSON for counters, and one file of tensors for the optimizer.

A checkpoint is a folder, written under another name and renamed, so that it is there whole or not at all. Digests of
its files stand in its ``state.json``, with one of that file itself, and are checked when they are read.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult, Evaluator
from rankhub.interfaces.files import digest_of, unwritable
from rankhub.interfaces.tensors import load_tensors

log = logging.getLogger("rankhub")

MODEL, AVERAGE = "model.safetensors", "average.safetensors"
Results = dict[str, EvaluationResult]
"""By the label of an evaluator."""

FORMAT, BARE = 2, 1
"""Version of the layout, and the one before, which is read as well: without digests. Of others it is refused."""


@dataclass(slots=True)
class State:
    """All that training needs to go on."""

    step: int  # steps done in the run
    weights: Mapping[str, Tensor]  # the network's state
    average: Mapping[str, Tensor] | None  # the averaged network's
    optimizer: Mapping[str, Any]  # tensors and plain numbers only
    scaler: Mapping[str, Any]  # of fp16
    facts: Mapping[str, Any]  # plain numbers and strings, such as the best metric so far


class Checkpoints:
    """The checkpoints of one run in its folder ``checkpoints``, of which the newest ``keep`` stay."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def all(self) -> list[Path]:
        """Complete checkpoints, oldest first."""
        return _complete(self.folder, "step_*")

    def last(self) -> Path | None:
        """The newest complete checkpoint, or None."""
        found = self.all()
        return found[-1] if found else None

    def last_whole(self) -> State | None:
        """The newest that can be read; damaged newer ones, and a best one, are set aside as ``NAME.damaged`` and said.

        Raises:
            UserError: There are only damaged ones.
        """
        state: State | None = None
        damaged: dict[Path, UserError] = {}
        for path in [*_complete(self.folder, "best_step_*"), *reversed(self.all())]:
            try:
                state = load(path)
            except UserError as error:
                damaged[path] = error
            else:
                if path.name.startswith("step_"):
                    break
        else:
            if steps := [damaged[path] for path in self.all()]:
                raise UserError(f"{steps[-1]}, nor can one before it; remove {self.folder} to begin again")
            state = None
        for path, why in damaged.items():
            aside = path.with_suffix(".damaged")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            log.warning("%s; it is set aside as %s", why, aside.name)
        for old in _complete(self.folder, "best_step_*")[:-1]:  # it was killed while it kept a better one
            shutil.rmtree(old)
        return state

    def save(self, state: State) -> Path:
        """Write a checkpoint, see :func:`write`, and remove those that are too old."""
        path = self.folder / f"step_{state.step:09d}"
        if path.is_dir():
            return path  # the same step of the same run: the same weights
        write(path, state, last=self.last())
        for old in self.all()[: -self.keep]:
            shutil.rmtree(old)
        return path


class Best:
    """Keeps ``best_step_*`` beside the other checkpoints, which come and go.

    ``wanted`` is ``EVALUATOR`` (its first headline metric) or ``EVALUATOR.METRIC``, as the recipe's ``keep_best`` says.
    """

    def __init__(self, folder: Path, wanted: str, evaluators: Mapping[str, Evaluator]) -> None:
        self.folder = folder
        self.label, _, metric = wanted.partition(".")
        evaluator = evaluators[self.label]
        self.metric = metric or evaluator.headline()[0]
        self.sign = evaluator.sign(self.metric)

    def kept(self) -> tuple[Path, float] | None:
        """The best checkpoint and its metric, or None."""
        kept = _complete(self.folder, "best_step_*")
        found = [(path, float(verified(path, "")["facts"]["best"])) for path in kept]
        return max(found, key=lambda pair: self.sign * pair[1], default=None)

    def improves(self, results: Results) -> bool:
        """Whether these are better than all before; a metric that is missing or not finite is not."""
        value = results[self.label].metrics.get(self.metric, nan) if self.label in results else nan
        known = self.kept()
        return isfinite(value) and (known is None or self.sign * value > self.sign * known[1])

    def save(self, state: State, results: Results) -> None:
        """Write this state as ``best_step_*`` and remove the best one of before."""
        path = self.folder / f"best_step_{state.step:09d}"
        shutil.rmtree(path, ignore_errors=True)
        value = results[self.label].metrics[self.metric]
        write(path, replace(state, facts={**state.facts, "best": value}))
        for old in self.folder.glob("best_step_*"):
            if old != path:
                shutil.rmtree(old)


def _complete(folder: Path, pattern: str) -> list[Path]:
    """Checkpoints that are there whole, in the order of their names."""
    return sorted(path for path in folder.glob(pattern) if path.is_dir() and not path.suffix)


def write(path: Path, state: State, last: Path | None = None) -> None:
    """Write a checkpoint to its new folder ``path``, whole or not at all; ``last`` is the last good one, for messages.

    Raises:
        UserError: A weight is not finite (nothing is written), or the disk is full.
    """
    broken = [name for name, value in state.weights.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise UserError(
            f"weights are not finite after step {state.step} (first: {broken[0]}); no checkpoint was written, "
            f"last good checkpoint: {last or 'none'}"
        )
    beside = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        _write(beside, state)
        beside.rename(path)
        _sync(path.parent)
    except (OSError, RuntimeError, SafetensorError) as error:  # as torch and safetensors say that a disk is full
        shutil.rmtree(beside, ignore_errors=True)
        raise unwritable(f"the checkpoint {path}", error, "make room, then go on with --resume") from error


def _write(folder: Path, state: State) -> None:
    save_file(_packed(state.weights), folder / MODEL)
    if state.average is not None:
        save_file(_packed(state.average), folder / AVERAGE)
    torch.save({"optimizer": state.optimizer, "scaler": state.scaler}, folder / "optimizer.pt")
    files = {path.name: digest_of(path) for path in folder.iterdir()}
    facts = {"format": FORMAT, "step": state.step, "facts": state.facts, "files": files}
    (folder / "state.json").write_text(json.dumps({**facts, "digest": _digest(facts)}, indent=1) + "\n")
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


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def verified(folder: Path, only: str | None = None) -> dict[str, Any]:
    """What ``state.json`` of a checkpoint says, once it and its files, or ``only`` one, are as they were written.

    Raises:
        UserError: They are not, or one is missing, or the checkpoint is of another version.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / "state.json").read_text())
        if facts.get("format") not in (FORMAT, BARE):
            raise UserError(f"{folder} is a checkpoint of format {facts.get('format')}, this version reads {FORMAT}")
        digest, number = facts.pop("digest", None), folder.name.rpartition("step_")[2]
        other_step = number.isdigit() and int(number) != facts["step"]
        if other_step or (facts["format"] == FORMAT and digest != _digest(facts)):
            wrong = ["state.json"]
        else:
            looked_at = [(name, kept) for name, kept in facts.get("files", {}).items() if only in (None, name)]
            wrong = [name for name, kept in looked_at if digest_of(folder / name) != kept]
    except FileNotFoundError as error:
        raise UserError(f"checkpoint {folder} is not complete: {error.filename or error}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"checkpoint {folder} cannot be read: {error}") from error
    if wrong:
        raise UserError(f"checkpoint {folder} cannot be read: {wrong[0]} is not as it was written")
    return facts


def load(folder: Path) -> State:
    """Read a checkpoint; nothing in it is executed. A UserError as of :func:`verified`, or if a file is broken."""
    facts = verified(folder)
    try:
        average = folder / AVERAGE
        rest = load_tensors(folder / "optimizer.pt")
        return State(
            step=int(facts["step"]),
            weights=load_file(folder / MODEL),
            average=load_file(average) if average.exists() else None,
            optimizer=rest["optimizer"],
            scaler=rest["scaler"],
            facts=facts["facts"],
        )
    except FileNotFoundError as error:
        raise UserError(f"checkpoint {folder} is not complete: {error.filename or error}") from error
    except Exception as error:
        raise UserError(f"checkpoint {folder} cannot be read: {error}") from error


def read_weights(path: Path, *, average: bool) -> tuple[dict[str, Tensor], Path]:
    """The weights of a checkpoint, or of a run's newest, or their moving average; and the file that they come from."""
    name = AVERAGE if average else MODEL
    folders = [path] if (path / MODEL).is_file() else Checkpoints(path / "checkpoints", 1).all()[::-1]
    if not folders:
        what = "has no checkpoint yet" if path.is_dir() else "is not there"
        raise UserError(f"the run {path.absolute()} {what}; name the folder of a run, or a checkpoint in it")
    for folder in folders:
        file = folder / name
        if average and not file.is_file():
            raise UserError(
                f"the checkpoint {folder.absolute()} keeps no average of the weights; take the weights as they are"
            )
        try:
            verified(folder, name)
            return load_file(file), file
        except Exception as error:
            said = str(error) if isinstance(error, UserError) else f"the weights {file} cannot be read: {error}"
            if folder is folders[-1]:
                raise UserError(f"{said}; name another checkpoint") from error
            log.warning("%s; the one before is taken", said)
    raise AssertionError
