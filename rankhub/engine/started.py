"""What a run began with, its recipe and its data, and what of it has changed since."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.engine import folder
from rankhub.engine.checkpoint import digest_of
from rankhub.interfaces.data import Dataset, GivenData
from rankhub.interfaces.errors import ChangedError, UserError
from rankhub.recipe.reader import read

START = "start.json"
FREE = frozenset({"name", "description", "device", "callbacks", "next_steps", "checkpoint", "log", "loader"})
"""Entries of a recipe that change no result, so that anybody may edit them."""

LOOKED_AT = 16
"""Images whose pixels stand for all where a data set knows no digests."""

SHOWN = 3
"""Changes that a sentence names."""

Record = dict[str, Any]


def digests(datasets: Mapping[str, Dataset]) -> dict[str, Record]:
    """Of open data sets, by name: the number of images, and digests of names and sizes, of contents and of labels.

    Where the images lie, and when they were written, is no part of it.
    """
    found = {}
    for name, data in datasets.items():
        paths, label = data.facts("path") or (), data.label
        if isinstance(data, GivenData):
            paths = [os.path.basename(path) for path in paths]
        meant: list[Any] = [label.kind, label.higher_is_better, label.classes]
        meant += [list(data.facts(fact) or ()) for fact in ("reference", "kind")]
        found[name] = {
            "images": len(data),
            "listing": _digest([unicodedata.normalize("NFC", "\0".join(paths)), data.sizes()]),
            "content": _content(data),
            "labels": _digest([repr(meant), data.labels(), *(data.points() or ()), *(data.folds() or ())]),
        }
    return found


def _content(data: Dataset) -> str | None:
    """None where an image is not the same when it is asked for again."""
    if (known := data.digests()) is not None:
        return _digest([known])
    rows = range(0, len(data), max(1, len(data) // LOOKED_AT))
    seen = [_digest([data[row].image.numpy()]) for row in rows]
    return _digest(seen) if seen[:1] == [_digest([data[row].image.numpy()]) for row in rows[:1]] else None


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


def write(place: Path, data: Mapping[str, Record], history: Sequence[Record] = ()) -> None:
    """Write what a run begins with, once its other files are there.

    Args:
        place: The run's folder.
        data: What :func:`digests` says.
        history: Changes with which it went on, each with the ``step`` and the sentences ``changes``.
    """
    source = folder.resolved_recipe(place)
    files = {name: digest_of(place / name) for name in ("recipe.yaml", folder.LABELS)}
    record = {"recipe": read(source.text, source.file).data, "files": files, "data": data, "history": list(history)}
    folder.write_text(place / START, json.dumps(record, indent=1) + "\n")


def read_start(place: Path) -> Record | None:
    """What :func:`write` wrote; None in the folder of an earlier version. A UserError if it cannot be read."""
    try:
        record = json.loads((place / START).read_text())
        return {key: record[key] for key in ("recipe", "files", "data", "history")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{place / START} cannot be read ({error}); copy the run's folder anew") from error


def check_labels(place: Path) -> None:
    """See that the scale of a run's answers is the one it was trained on; else a UserError."""
    record = read_start(place)
    if record is not None and digest_of(place / folder.LABELS) != record["files"][folder.LABELS]:
        raise UserError(f"{place / folder.LABELS} is not as it was written; put it back, or copy the run's folder anew")


def edits(place: Path, record: Record) -> list[str]:
    """Sentences on what was edited in the folder of a run since it began."""
    source = folder.resolved_recipe(place)
    found = list(_differences(record["recipe"], read(source.text, source.file).data))
    for name, digest in record["files"].items():
        if (place / name).exists() and digest_of(place / name) != digest:
            found.append(
                f"{name} was edited" + ("" if name == folder.LABELS else f", which counts in {folder.RESOLVED} only")
            )
    return found


def _differences(then: Any, now: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Sentences on the entries in which two recipes differ; not on data that lie in another place now."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in [key for key in {**then, **now} if path or key not in FREE]:
            yield from _differences(then.get(key), now.get(key), (*path, str(key)))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, pair in enumerate(zip(then, now, strict=True)):
            yield from _differences(*pair, (*path, str(number)))
    elif then != now and not (path[0] == "data" and isinstance(now, str) and now and Path(now).expanduser().exists()):
        values = "" if isinstance(then, dict | list) or isinstance(now, dict | list) else f" from {then!r} to {now!r}"
        yield f"{'.'.join(path)} of the recipe was changed{values}"


def changes(record: Record, now: Mapping[str, Record]) -> list[str]:
    """Sentences on the data sets that are others than when the run began; ``now`` is what :func:`digests` says."""
    found = []
    for name, then in record["data"].items():
        here = now.get(name, then)
        if here["images"] != then["images"]:
            found.append(f"data.{name} had {then['images']} images and has {here['images']}")
        elif here["listing"] != then["listing"]:
            found.append(f"data.{name} has images of other names or sizes, or in another order")
        elif None not in (here["content"], then["content"]) and here["content"] != then["content"]:
            found.append(f"data.{name} has other images of the same names")
        if here["images"] == then["images"] and here["labels"] != then["labels"]:
            found.append(f"data.{name} has other labels")
    return found


def refuse(place: Path, found: Sequence[str]) -> None:
    """A ChangedError if anything has changed."""
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ChangedError(
            f"{place} cannot go on as it began, for {'; '.join(found[:SHOWN])}{more}; put that back, or go on all the "
            "same with --allow-changes (in Python allow_changes=True)"
        )


def set_aside(place: Path, step: int) -> None:
    """Keep what was measured before a change apart from what is measured after it."""
    for old in [place / "evaluation", *(place / "checkpoints").glob("best_step_*")]:
        aside = old.with_name(f"before_step_{step}_{old.name}")
        if aside.exists():
            shutil.rmtree(old, ignore_errors=True)
        elif old.exists():
            old.rename(aside)


def remarks(place: Path) -> list[str]:
    """Sentences for the closing table on changes with which the run went on."""
    history = (read_start(place) or {"history": []})["history"]
    return [f"went on after step {one['step']} though {'; '.join(one['changes'])}" for one in history]
