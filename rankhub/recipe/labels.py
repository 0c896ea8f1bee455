"""The labels by which a recipe's lists name their items: in addresses, in reports, in the names of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def numbered(names: Iterable[str]) -> list[str]:
    """A label for each name: the name, ``NAME_2`` where it stands for the second time, and so on; all differ."""
    listed = list(names)
    found: list[str] = []
    for name in listed:
        number = 1 + sum(other == name for other in listed[: len(found)])
        label = name if number == 1 else f"{name}_{number}"
        while label in found or (label != name and label in listed):  # a component may be called `knn_2` itself
            number += 1
            label = f"{name}_{number}"
        found.append(label)
    return found


def bare(use: str) -> str:
    """The name of a component without that of its plugin."""
    return use.rpartition("/")[2]


def labels_of(items: Sequence[Any]) -> list[str]:
    """The labels of a list's items: the name of a phase, the component of what has ``use``; "" for anything else.

    Args:
        items: Plain data.
    """
    entries = [item if isinstance(item, dict) else {} for item in items]
    uses = [bare(entry["use"]) if isinstance(entry.get("use"), str) else "" for entry in entries]
    if not any(uses):  # phases must differ, and are called what they are called
        return [entry["name"] if isinstance(entry.get("name"), str) else "" for entry in entries]
    labels = iter(numbered(name for name in uses if name))
    return [next(labels) if name else "" for name in uses]
