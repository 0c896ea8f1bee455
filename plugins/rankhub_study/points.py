"""Points of a plan: one value of each axis, and the changes of recipes that they stand for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rankhub import Change, Document, UserError
from rankhub_study.plan import Dimension, Method, Plan, written_out

Point = tuple[tuple[str, Any], ...]
"""(axis, label of its value), in the plan's order of axes."""

KeyPath = tuple[str | int, ...]


def labels(dimension: Dimension) -> list[Any]:
    """What the values are called: the names of a mapping, else the values; lists and mappings as JSON."""
    if isinstance(dimension.values, dict):
        return list(dimension.values)
    return [value if not isinstance(value, dict | list) else json.dumps(value) for value in dimension.values or ()]


def points(plan: Plan, method: str) -> Iterator[Point]:
    """All points of a method, the first axis the slowest, without those that the plan skips."""
    axes = plan.methods[method].axes
    names = [name for name in plan.axes if axes is None or name in axes]
    # Seeds run slowest, so that a plan that is stopped early has all methods with equally many.
    names.sort(key=lambda name: plan.role(name) != "seed")
    for values in itertools.product(*(labels(plan.axis(name)) for name in names)):
        point = dict(zip(names, values, strict=True))
        if not _skipped(plan, method, point):
            yield ordered(plan, point)


def narrowed(plan: Plan, only: Sequence[str]) -> Plan:
    """A plan that skips all but some values of axes, or methods: ``seed=0``, ``method=NAME``, each any number of times.

    Raises:
        UserError: There is no such axis or value.
    """
    known = {"method": list(plan.methods), **{name: labels(plan.axis(name)) for name in plan.axes}}
    wanted: dict[str, list[str]] = {}
    for text in only:
        name, _, value = text.partition("=")
        there = list(map(str, known.get(name, [])))
        if value not in there:
            expected = f"{name}= one of {', '.join(there)}" if there else f"one of {', '.join(known)}, and = its value"
            raise UserError(f"--only {text}: expected {expected}")
        wanted.setdefault(name, []).append(value)
    rules = [{name: [one for one in known[name] if str(one) not in values]} for name, values in wanted.items()]
    return plan.model_copy(update={"skip": [*plan.skip, *rules]})


def ordered(plan: Plan, point: Mapping[str, Any]) -> Point:
    """A point with its axes in the plan's order."""
    return tuple((name, point[name]) for name in plan.axes if name in point)


def project(plan: Plan, method: Method, point: Mapping[str, Any]) -> Point:
    """A point without the axes that a method does not depend on."""
    kept = {name: label for name, label in point.items() if method.axes is None or name in method.axes}
    return ordered(plan, kept)


def _skipped(plan: Plan, method: str, point: Mapping[str, Any]) -> bool:
    return any(
        all(_among({**point, "method": method}.get(key), wanted) for key, wanted in rule.items()) for rule in plan.skip
    )


def _among(value: Any, wanted: Any) -> bool:
    return value in (wanted if isinstance(wanted, list) else [wanted])


def changes_at(plan: Plan, document: Document, point: Point) -> list[Change]:
    """What a point changes in a recipe."""
    found = []
    for name, label in point:
        found += value_changes(document, ("axes", name), plan.axis(name), label)
    return found


def value_changes(document: Document, steps: KeyPath, dimension: Dimension, label: Any) -> list[Change]:
    """What one value of a dimension changes; ``steps`` say where it stands in the plan's file.

    A label that the dimension does not list is the value itself.
    """
    inner: KeyPath = steps if isinstance(_at(document, steps), list) else (*steps, "values")
    value, own = label, steps
    known = labels(dimension)
    if label in known:
        key = label if isinstance(dimension.values, dict) else known.index(label)
        value, own = (dimension.values or {})[key], (*inner, key)  # type: ignore[index]
    if dimension.path is None:
        return overrides(document, own, value)
    paths = [dimension.path] if isinstance(dimension.path, str) else dimension.path
    return [Change(path, value, document.location(own), _inside(document, own)) for path in paths]


def search_dimensions(plan: Plan, method: str) -> dict[str, tuple[KeyPath, Dimension]]:
    """Name -> where it stands in the plan, and what a method's trials vary; none for one that has no trials."""
    own = plan.methods[method].search
    if plan.trials is None or own == {}:
        return {}
    shared = {name: (("trials", "search", name), each) for name, each in plan.trials.search.items()}
    mine = {name: (("methods", method, "search", name), each) for name, each in (own or {}).items()}
    return {name: (steps, written_out(name, each)) for name, (steps, each) in {**shared, **mine}.items()}


def overrides(document: Document, steps: KeyPath, values: Mapping[str, Any]) -> list[Change]:
    """A mapping of overrides that stands in the plan's file, as changes that know their lines."""
    return [
        Change(path, value, document.location((*steps, path)), _inside(document, (*steps, path)))
        for path, value in values.items()
    ]


def _inside(document: Document, steps: KeyPath) -> dict[KeyPath, Any]:
    count = len(steps)
    return {
        own[count:]: location for own, location in document.locations.items() if own[:count] == steps and own[count:]
    }


def _at(document: Document, steps: Iterable[str | int]) -> Any:
    here: Any = document.data
    for step in steps:
        here = here[step]
    return here


def shown(point: Point) -> str:
    """``seed 0, labels 4``."""
    return ", ".join(f"{name} {label}" for name, label in point)
