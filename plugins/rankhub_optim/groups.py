"""What all optimisers here do with their parameter groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from rankhub.interfaces.schedule import Schedule


def number(option: float | Schedule) -> float:
    """An option that may change, as the number that the engine hands to a constructor.

    Raises:
        TypeError: It is still a schedule, so the optimiser was not built by the engine.
    """
    if isinstance(option, Schedule):
        raise TypeError("an optimiser takes the number that its schedule gives, not the schedule")
    return float(option)


def prepare(
    params: Iterable[Tensor | Mapping[str, Any]], decay_vectors: bool, **options: float
) -> list[dict[str, Any]]:
    """Groups with their own numbers: each option times the group's ``<option>_scale``, where it has one.

    Args:
        params: Parameters, or groups as torch takes them; ``vector: True`` marks biases and norm weights.
        decay_vectors: Whether those are decayed too; if not, they get ``weight_decay_scale: 0``.
        options: The options that may change, by name.
    """
    listed = list(params)
    if listed and not isinstance(listed[0], Mapping):
        listed = [{"params": listed}]
    groups = []
    for given in listed:
        assert isinstance(given, Mapping)
        group = dict(given)
        if group.get("vector") and not decay_vectors:
            group["weight_decay_scale"] = 0.0
        group |= {name: value * float(group.get(f"{name}_scale", 1.0)) for name, value in options.items()}
        groups.append(group)
    return groups
