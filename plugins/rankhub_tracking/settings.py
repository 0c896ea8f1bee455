"""A recipe as a flat list of settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def flat(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A resolved recipe as dotted path -> value, as overrides are typed: ``streams.views.objectives.smooth_ap.tau``.

    An item of a list goes by its ``name``, else by its component's name, of which the second is ``knn_2``, else by its
    position. Lists of plain values are one setting.
    """
    return dict(_settings("", recipe))


def _settings(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _settings(f"{path}.{key}" if path else str(key), each)
    elif isinstance(value, Sequence) and any(isinstance(each, Mapping) for each in value):
        for label, each in zip(_labels(value), value, strict=True):
            yield from _settings(f"{path}.{label}", each)
    else:
        yield path, value


def _labels(items: Sequence[Any]) -> list[str]:
    seen = Counter[str]()
    labels = []
    for number, item in enumerate(items):
        name = (item.get("name") or item.get("use")) if isinstance(item, Mapping) else None
        name = str(number) if name is None else str(name).rpartition("/")[2]
        seen[name] += 1
        labels.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return labels
