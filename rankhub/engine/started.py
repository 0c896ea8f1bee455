"""What a run began with, its recipe and its data, and what of it has changed since."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from rankhub.engine import folder
from rankhub.engine.checkpoint import digest_of
from rankhub.engine.shuffle import VERSION
from rankhub.interfaces.errors import ChangedError, UserError
from rankhub.interfaces.files import write_text
from rankhub.interfaces.guard import Guard
from rankhub.recipe.address import labels_of
from rankhub.recipe.reader import read

START, GIVEN = "start.json", "recipe.yaml"
FREE = frozenset({"name", "description", "strict", "device", "callbacks", "next_steps", "checkpoint", "log", "loader"})
"""Entries of a recipe that change no result, so that anybody may edit them."""

OTHER_ORDER = "it was begun by a version that drew images in another order"
"""What a run without a version of the order, or with another, is told."""

SHOWN = 3
"""Changes that a sentence names."""

Identities = Mapping[str, Mapping[str, Any]]
"""Data set -> by what guards know it again, as plain data."""


class AllowedChange(BaseModel):
    """With what a run went on all the same."""

    step: int
    changes: list[str]


class RunStart(BaseModel):
    """What is kept in a run's folder of its beginning."""

    recipe: dict[str, Any]  # as resolved
    files: dict[str, str]  # digests of the recipe as it was given, and of the scale of the labels
    data: dict[str, dict[str, Any]]  # by what guards know each again
    history: list[AllowedChange] = []
    order: int = 1  # version of the order of images; kept since the second

    @classmethod
    def written(cls, path: Path, data: Identities, history: Sequence[AllowedChange] = ()) -> None:
        """Keep it, once the other files of the folder are there."""
        files = {name: digest_of(path / name) for name in (GIVEN, folder.LABELS) if (path / name).exists()}
        known = {name: dict(identity) for name, identity in data.items()}
        start = cls(recipe=_resolved(path), files=files, data=known, history=list(history), order=VERSION)
        write_text(path / START, start.model_dump_json(indent=1) + "\n")

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

    def edits(self, path: Path) -> list[str]:
        """Sentences on what was edited in the folder since."""
        found = list(_differences(self.recipe, _resolved(path)))
        if (path / GIVEN).exists() and digest_of(path / GIVEN) != self.files.get(GIVEN):
            found.append(f"{GIVEN} was edited, which counts in {folder.RESOLVED} only")
        found += [] if self.order == VERSION else [OTHER_ORDER]
        return found + ([] if self.knows_labels(path) else [f"{folder.LABELS} was edited"])

    def knows_labels(self, path: Path) -> bool:
        """Whether the scale of the labels in the folder is that of the run."""
        file = path / folder.LABELS
        return file.exists() and digest_of(file) == self.files.get(folder.LABELS)

    def changes(self, now: Identities, guards: Sequence[Guard]) -> list[str]:
        """Sentences on the data sets that are others by now."""
        both = [(name, then, now[name]) for name, then in self.data.items() if then and name in now]
        return [f"data.{name} {said}" for name, *pair in both for guard in guards for said in guard.changes(*pair)]


def _resolved(path: Path) -> dict[str, Any]:
    source = folder.resolved_recipe(path)
    return read(source.text, source.file).data


def _differences(then: Any, now: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Sentences on the entries in which two recipes differ; not on data that lie in another place now."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in [key for key in {**then, **now} if path or key not in FREE]:
            yield from _differences(then.get(key), now.get(key), (*path, str(key)))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (label, before, here) in enumerate(zip(labels_of(now), then, now, strict=True)):
            yield from _differences(before, here, (*path, label or str(number)))
    elif then != now and not (path[0] == "data" and isinstance(now, str) and os.path.exists(os.path.expanduser(now))):
        values = "" if isinstance(then, dict | list) or isinstance(now, dict | list) else f" from {then!r} to {now!r}"
        yield f"{'.'.join(path)} of the recipe was changed{values}"


def refuse(path: Path, found: Sequence[str]) -> None:
    """A ChangedError if anything has changed."""
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ChangedError(
            f"{path} cannot go on as it began, for {'; '.join(found[:SHOWN])}{more}; put that back, or go on all the "
            "same with --allow-changes (in Python allow_changes=True)"
        )


def set_aside(path: Path, step: int) -> None:
    """Keep what was measured before a change apart from what is measured after it."""
    for old in [path / "evaluation", *(path / "checkpoints").glob("best_step_*")]:
        aside = old.with_name(f"before_step_{step}_{old.name}")
        if aside.exists():
            shutil.rmtree(old, ignore_errors=True)
        elif old.exists():
            old.rename(aside)
