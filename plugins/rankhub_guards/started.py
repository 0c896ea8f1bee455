"""What a run began with, its recipe and its data, and what of it has changed since."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

import rankhub
from rankhub import UserError
from rankhub.interfaces.callback import RunInfo
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.draws import ORDER
from rankhub.interfaces.files import digest_of, write_text
from rankhub.interfaces.guard import Guard
from rankhub_guards.identity import differences, identity

START, GIVEN, RESOLVED, LABELS = "start.json", "recipe.yaml", "recipe.resolved.yaml", "labels.json"
"""In the folder of a run: what is kept here; the recipe as it was given and as it counts; the scale of the labels."""

FREE = frozenset({"name", "description", "strict", "device", "callbacks", "next_steps", "checkpoint", "log", "loader"})
"""Entries of a recipe that change no result, so that anybody may edit them."""

OTHER_ORDER = "it was begun by a version that drew images in another order"

log = logging.getLogger("rankhub")


class AllowedChange(BaseModel):
    """With what a run went on all the same."""

    step: int
    changes: list[str]


class RunStart(BaseModel):
    """What is kept in a run's folder of its beginning."""

    recipe: dict[str, Any]  # as resolved
    files: dict[str, str]  # digests of the recipe as it was given, and of the scale of the labels
    data: dict[str, dict[str, Any]]  # by what each is known again
    history: list[AllowedChange] = []
    order: int = 1  # version of the order of images; kept since the second

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """It; None in the folder of an earlier version. A UserError if it cannot be read."""
        try:
            return cls.model_validate_json((path / START).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise UserError(f"{path / START} cannot be read ({why}); copy the run's folder anew") from error

    def edits(self, path: Path) -> Iterator[str]:
        """Sentences on what was edited in the folder since."""
        yield from _differences(self.recipe, _resolved(path))
        if (path / GIVEN).exists() and digest_of(path / GIVEN) != self.files.get(GIVEN):
            yield f"{GIVEN} was edited, which counts in {RESOLVED} only"
        if self.order != ORDER:
            yield OTHER_ORDER
        if not self.knows_labels(path):
            yield f"{LABELS} was edited"

    def knows_labels(self, path: Path) -> bool:
        """Whether the scale of the labels in the folder is that of the run."""
        file = path / LABELS
        return file.exists() and digest_of(file) == self.files.get(LABELS)


class Beginning(Guard):
    """Keeps what a run began with in its folder, and says what of it is another by now."""

    def answering(self, folder: Path) -> None:
        """Whether its answers are on the scale that it was trained on."""
        start, file = RunStart.of(folder), folder / LABELS
        if start is not None and file.exists() and not start.knows_labels(folder):
            raise UserError(f"{file} is not as it was written; put it back, or copy the run's folder anew")

    def changes(self, folder: Path, datasets: Mapping[str, Dataset]) -> Iterator[str]:
        """What was edited in the folder, and which data sets are others."""
        start = RunStart.of(folder)
        if start is None:
            if datasets and any((folder / "checkpoints").glob("step_*")):  # of a version that kept nothing
                yield OTHER_ORDER
            return
        yield from start.edits(folder)
        for name, then in start.data.items():
            if then and name in datasets:
                yield from (f"data.{name} {said}" for said in differences(then, identity(datasets[name])))

    def begins(self, run: RunInfo, datasets: Mapping[str, Dataset], changes: Sequence[str]) -> Sequence[str]:
        """Keep it, once; with what the run has gone on all the same, and apart what was measured before."""
        path, start = run.folder, RunStart.of(run.folder)
        if start is None and run.step:
            log.warning("the run was begun by an earlier version, which did not keep what its data were")
        history = [] if start is None else start.history
        if changes:
            _set_aside(path, run.step)
            history = [*history, AllowedChange(step=run.step, changes=list(changes))]
        if changes or start is None:
            files = {name: digest_of(path / name) for name in (GIVEN, LABELS) if (path / name).exists()}
            known = {name: dict(identity(data)) for name, data in datasets.items()}
            start = RunStart(recipe=_resolved(path), files=files, data=known, history=history, order=ORDER)
            write_text(path / START, start.model_dump_json(indent=1) + "\n")
        return [f"went on after step {one.step} though {'; '.join(one.changes)}" for one in history]


def _resolved(path: Path) -> dict[str, Any]:
    source = rankhub.read_file(path / RESOLVED)
    return rankhub.read_yaml(source.text, source.file).data


def _differences(then: Any, now: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Sentences on the entries in which two recipes differ; not on data that lie in another place now."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in [key for key in {**then, **now} if path or key not in FREE]:
            yield from _differences(then.get(key), now.get(key), (*path, str(key)))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (label, before, here) in enumerate(zip(rankhub.labels_of(now), then, now, strict=True)):
            yield from _differences(before, here, (*path, label or str(number)))
    elif then != now and not (path[0] == "data" and isinstance(now, str) and os.path.exists(os.path.expanduser(now))):
        values = "" if isinstance(then, dict | list) or isinstance(now, dict | list) else f" from {then!r} to {now!r}"
        yield f"{'.'.join(path)} of the recipe was changed{values}"


def _set_aside(path: Path, step: int) -> None:
    """Keep what was measured before a change apart from what is measured after it."""
    for old in [path / "evaluation", *(path / "checkpoints").glob("best_step_*")]:
        aside = old.with_name(f"before_step_{step}_{old.name}")
        if aside.exists():
            shutil.rmtree(old, ignore_errors=True)
        elif old.exists():
            old.rename(aside)
