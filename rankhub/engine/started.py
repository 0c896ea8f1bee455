"""What a run began with, its recipe and its data, and what of it has changed since."""

from __future__ import annotations

import hashlib
import os
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from rankhub.engine import folder
from rankhub.engine.checkpoint import digest_of
from rankhub.interfaces.data import Dataset, GivenData
from rankhub.interfaces.errors import ChangedError, UserError
from rankhub.interfaces.files import write_text
from rankhub.recipe.address import labels_of
from rankhub.recipe.reader import read

START, GIVEN = "start.json", "recipe.yaml"
FREE = frozenset({"name", "description", "strict", "device", "callbacks", "next_steps", "checkpoint", "log", "loader"})
"""Entries of a recipe that change no result, so that anybody may edit them."""

LOOKED_AT, SHOWN = 16, 3
"""Images whose pixels stand for all where a data set knows no digests; and changes that a sentence names."""


class Digests(BaseModel):
    """Of an open data set. Where its images lie, and when they were written, is no part of them."""

    images: int  # how many
    listing: str  # their names and sizes, in order
    content: str | None  # what they show; None if an image is not the same when it is asked for again
    labels: str

    @classmethod
    def of(cls, data: Dataset) -> Digests:
        """They take a second or two for a million images."""
        paths, label = data.facts("path") or (), data.label
        if isinstance(data, GivenData):
            paths = [os.path.basename(path) for path in paths]
        names = unicodedata.normalize("NFC", "\0".join(paths))
        told = [label.kind, label.higher_is_better, label.classes, data.facts("reference"), data.facts("kind")]
        labels = [repr(told), data.labels(), *(data.points() or ()), *(data.folds() or ())]
        listing = _digest([names, data.sizes()])
        return cls(images=len(data), listing=listing, content=_content(data), labels=_digest(labels))

    def changes(self, then: Digests) -> Iterator[str]:
        """In what a data set differs from what it was."""
        if self.images != then.images:
            yield f"had {then.images} images and has {self.images}"
        elif self.listing != then.listing:
            yield "has images of other names or sizes, or in another order"
        elif None not in (self.content, then.content) and self.content != then.content:
            yield "has other images of the same names"
        if self.images == then.images and self.labels != then.labels:
            yield "has other labels"


def _content(data: Dataset) -> str | None:
    if (known := data.digests()) is not None:
        return _digest([known])
    rows = range(0, len(data), max(1, len(data) // LOOKED_AT))
    seen = [data[row].image.numpy() for row in rows]
    return _digest(seen) if all(np.array_equal(seen[0], data[row].image.numpy()) for row in rows[:1]) else None


def _digest(parts: Iterable[str | npt.NDArray[Any] | None]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode("utf-8", "surrogateescape"))
        elif part is not None:
            # What is computed may differ in its last bits from machine to machine.
            plain = np.asarray(part, dtype=np.float32 if part.dtype.kind == "f" else None)
            digest.update(repr(plain.shape).encode() + plain.tobytes())
        digest.update(b"\0")
    return digest.hexdigest()


class AllowedChange(BaseModel):
    """With what a run went on all the same."""

    step: int
    changes: list[str]


class RunStart(BaseModel):
    """What is kept in a run's folder of its beginning."""

    recipe: dict[str, Any]  # as resolved
    files: dict[str, str]  # digests of the recipe as it was given, and of the scale of the labels
    data: dict[str, Digests]
    history: list[AllowedChange] = []

    @classmethod
    def written(cls, path: Path, data: Mapping[str, Digests], history: Sequence[AllowedChange] = ()) -> None:
        """Keep it, once the other files of the folder are there."""
        files = {name: digest_of(path / name) for name in (GIVEN, folder.LABELS) if (path / name).exists()}
        start = cls(recipe=_resolved(path), files=files, data=dict(data), history=list(history))
        write_text(path / START, start.model_dump_json(indent=1) + "\n")

    @classmethod
    def of(cls, path: Path) -> RunStart | None:
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
        return found + ([] if self.knows_labels(path) else [f"{folder.LABELS} was edited"])

    def knows_labels(self, path: Path) -> bool:
        """Whether the scale of the labels in the folder is that of the run."""
        file = path / folder.LABELS
        return file.exists() and digest_of(file) == self.files.get(folder.LABELS)

    def changes(self, now: Mapping[str, Digests]) -> list[str]:
        """Sentences on the data sets that are others by now."""
        both = [(name, now[name], then) for name, then in self.data.items() if name in now]
        return [f"data.{name} {said}" for name, here, then in both for said in here.changes(then)]


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
