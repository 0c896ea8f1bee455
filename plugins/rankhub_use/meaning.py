"""What the numbers mean: of which network they are, on which scale, and how they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import rankhub
from rankhub.interfaces.data import LabelSpec
from rankhub_use.growing import sources_of
from rankhub_use.named import NamedFile

if TYPE_CHECKING:
    from rankhub import Run


def of_run(run: Run, files: Sequence[NamedFile], batch_size: int) -> dict[str, Any]:
    """What two calls must have in common to give the same numbers, but for the files' content.

    Keys: ``run``, ``weights`` (file and digest), ``recipe`` (its name), ``changes`` (overrides), ``predict`` (how an
    image becomes an answer), ``batch_size``, ``device``, ``precision``, ``threads``, ``sources`` (see
    :func:`~rankhub_use.growing.sources_of`), ``versions``.
    """
    resolved = run.recipe.resolved()
    return {
        "run": str(run.path.absolute()),
        "weights": {"file": str(run.weights.absolute()), "blake2b": file_digest(run.weights)},
        "recipe": run.recipe.name,
        "changes": list(run.recipe.changes),
        "predict": resolved["predict"],
        "batch_size": batch_size,
        "device": str(run.device),
        "precision": resolved["precision"],
        "threads": torch.get_num_threads(),
        "sources": sources_of(files),
        "versions": {"rankhub": rankhub.__version__, "torch": str(torch.__version__)},
    }


def of_label(output: str, label: LabelSpec) -> dict[str, Any]:
    """What one number an image means.

    Keys: ``output`` (``HEAD.OUTPUT``), ``kind`` of the training labels (null: learned from an order alone), ``unit``,
    ``direction`` (``higher is better``, ``lower is better``, null), ``range`` of the training labels as the data set
    states it (null if it does not), and their ``mean`` and ``std``.
    """
    direction = None if label.kind not in (None, "score") else label.kind is None or label.higher_is_better
    known = label.kind in ("score", "points")
    mean = float(label.turned(np.array([label.mean]))[0]) if label.kind == "score" else label.mean
    return {
        "output": output,
        "kind": label.kind,
        "unit": f"number of {label.unit or 'points'}" if label.kind == "points" else label.unit or None,
        "direction": None if direction is None else "higher is better" if direction else "lower is better",
        "range": None if label.range is None else list(label.range),
        "mean": mean if known else None,
        "std": label.std if known else None,
    }


def in_words(meaning: dict[str, Any]) -> str:
    """One phrase: unit, direction, range."""
    if meaning["kind"] is None:
        return f"learned from an order alone: no unit, {meaning['direction']}"
    if meaning["kind"] == "points":
        return str(meaning["unit"])
    said = [meaning["unit"] or "score", meaning["direction"]]
    if meaning["range"] is not None:
        said.append(f"from {meaning['range'][0]:g} to {meaning['range'][1]:g}")
    return ", ".join(filter(None, said))


def file_digest(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
