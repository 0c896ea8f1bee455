"""``a.b.c=value``: changes to a recipe from the command line, and those that an overlay makes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rankhub.catalog.hints import Steps, dotted, fields_of, step, unwrap
from rankhub.catalog.nearest import suggestion
from rankhub.recipe.reader import Document, read_value
from rankhub.recipe.report import Place, Problem
from rankhub.recipe.schema import Recipe

_NO_OVERRIDE = "this is no override; expected the form a.b.c=value"
_NO_PATH = "this is no path in a recipe; expected the form a.b.c"


class _Refused(Exception):
    """A change that cannot be made: how far its path leads, and why."""

    def __init__(self, steps: Steps, text: str) -> None:
        super().__init__(text)
        self.steps = steps


@dataclass(frozen=True, slots=True)
class Change:
    """A value to be set in a recipe.

    Attributes:
        path: ``a.b.c``; a list's item is named by its number, and ``*`` means every entry.
        value: Plain data.
        place: Where the change is asked for; what it sets stands there from then on.
        inside: Where the entries inside ``value`` stand, if not at ``place``.
    """

    path: str
    value: Any
    place: Place
    inside: Mapping[Steps, Place] = field(default_factory=dict)


def apply_overrides(document: Document, overrides: Sequence[str]) -> list[Problem]:
    """Change ``document`` in place; what an override sets stands at the override from then on.

    The value is read as YAML. For the path see :func:`apply_changes`.

    Returns:
        The overrides that cannot be applied.
    """
    problems = []
    for override in overrides:
        place = Place(document.file, 0, override)
        path, equals, text = override.partition("=")
        try:
            value = read_value(text)
        except ValueError as error:
            problems.append(Problem(place, (), f"the value {error}"))
            continue
        if equals:
            problems += apply_changes(document, [Change(path.strip(), value, place)])
        else:
            problems.append(Problem(place, (), _NO_OVERRIDE))
    return problems


def apply_changes(document: Document, changes: Iterable[Change]) -> list[Problem]:
    """Change ``document`` in place, one change after the other.

    A key that is not there yet is made where the recipe's schema has one of that name; whether it is a good one
    is checked with the rest of the recipe.

    Returns:
        The changes that cannot be made.
    """
    problems = []
    for change in changes:
        segments = change.path.split(".")
        try:
            if not all(segments):
                raise _Refused((), _NO_PATH if change.place.override is None else _NO_OVERRIDE)
            if segments == ["extends"]:
                raise _Refused((), "what a recipe extends is said in its file alone; write `extends:` there")
            targets = list(_targets(document.data, segments))
            if not targets:
                raise _Refused((), "there is nothing that its `*` could mean")
            for steps in targets:
                _set(document, steps, copy.deepcopy(change.value), change)
        except _Refused as refused:
            problems.append(Problem(change.place, refused.steps, str(refused)))
    return problems


def _targets(data: Any, segments: Sequence[str], done: Steps = (), hint: Any = Recipe) -> Iterator[Steps]:
    """The places that a path means, with the mappings on the way made where they are missing."""
    segment, rest = segments[0], segments[1:]
    for key in _keys(data, segment, done):
        if not rest:
            yield (*done, key)
            continue
        if isinstance(data, dict) and data.get(str(key)) is None:
            _may_be_made(data, str(key), done, hint)
            data[str(key)] = {}
        below = None if hint is None else step(hint, key)
        yield from _targets(data[key], rest, (*done, key), below)


def _keys(data: Any, segment: str, done: Steps) -> list[str | int]:
    """The keys or positions that one segment of a path means."""
    if isinstance(data, dict):
        return list(data) if segment == "*" else [segment]
    if isinstance(data, list):
        if segment == "*":
            return list(range(len(data)))
        if segment.isascii() and segment.isdigit() and int(segment) < len(data):
            return [int(segment)]
        there = f"it has 0 to {len(data) - 1}" if data else "it is empty"
        raise _Refused(done, f"{dotted(done)} is a list, {segment!r} is no position in it; {there}")
    raise _Refused(done, f"{dotted(done)} is no mapping, so it has no {segment!r}")


def _may_be_made(data: dict[str, Any], key: str, done: Steps, hint: Any) -> None:
    if hint is None or hint is Any:
        return
    known = fields_of(unwrap(hint)[0])
    if known is None:  # names that the recipe chooses: data sets, heads, streams
        names = list(data)
    elif step(hint, key) is None:
        names = list(known)
    else:
        return
    where = dotted(done) or "a recipe"
    raise _Refused((*done, key), f"{where} has no {key!r}{suggestion(key, names)}")


def _set(document: Document, steps: Steps, value: Any, change: Change) -> None:
    parent: Any = document.data
    for segment in steps[:-1]:
        parent = parent[segment]
    parent[steps[-1]] = value
    for known in [known for known in document.places if known[: len(steps)] == steps]:
        del document.places[known]
    for length in range(1, len(steps)):
        document.places.setdefault(steps[:length], change.place)  # made on the way
    document.places.update({(*steps, *below): place for below, place in change.inside.items()})
    document.places[steps] = change.place
