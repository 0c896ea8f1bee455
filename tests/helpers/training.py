"""Runs the engine on the fakes, without the command line."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from helpers import fakes

import rankhub_guards
import rankhub_train
from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint
from rankhub.engine.folder import Journal
from rankhub.engine.parts import Parts, Resources, build
from rankhub.engine.training import Training, new_learner
from rankhub.engine.watch import Watchers
from rankhub.interfaces.draws import seeded
from rankhub.interfaces.processes import Interrupt
from rankhub.recipe.phases import write_out
from rankhub.recipe.reader import Document
from rankhub.recipe.schema import Recipe


def catalog() -> Catalog:
    """The fakes, the guards, and the verbs with which they are trained."""
    return Catalog.of({"fakes": fakes, "rankhub_guards": rankhub_guards, "rankhub_train": rankhub_train})


def recipe(text: str = fakes.RECIPE, **changes: Any) -> Recipe:
    """The fake recipe with top-level entries changed."""
    document = Document({**yaml.safe_load(text), **changes}, "fake")
    assert not write_out(document)
    return Recipe.model_validate(document.data)


def streams(**streams: dict[str, Any]) -> dict[str, Any]:
    """Streams on the training data, six images a step, unless they say otherwise."""
    return {name: {"data": "train", "batch_size": 6, **body} for name, body in streams.items()}


def objective(loss: str, head: str = "main", **options: Any) -> dict[str, Any]:
    """An objective on the fake head."""
    return {"use": loss, "head": head, **options}


def parts_of(ours: Recipe, known: Catalog | None = None) -> Parts:
    """Built parts."""
    return build(ours, Resources(known or catalog(), lambda done, total, what: None))


def train(parts: Parts, folder: Path, resume: bool = False, stop_after: int | None = None) -> Training:
    """Train in ``folder``, as `rankhub run` does."""
    checkpoints = checkpoint.Checkpoints(folder / "checkpoints", parts.recipe.checkpoint.keep)
    last = checkpoints.last() if resume else None
    state = checkpoint.load(last) if last else None
    interrupt = Interrupt()
    torch.manual_seed(seeded(parts.recipe.seed, "train"))
    journal = Journal(folder / "metrics.jsonl", 0 if state is None else state.step)

    def show(number, plan, stepped, speed):
        if number == stop_after:
            interrupt.asked = "SIGINT"

    training = Training(
        parts, new_learner(parts), checkpoints, journal, Watchers([]), interrupt, show, lambda step: None
    )
    training.run(state)
    journal.close()
    return training


def weights(training: Training) -> dict[str, torch.Tensor]:
    """A copy of all weights and buffers."""
    return copy.deepcopy(training.learner.network.state_dict())


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """All lines of a run's metrics."""
    return [json.loads(line) for line in path.read_text().splitlines()]
