"""Dotted paths into a recipe: what ``streams.views.generator.random_views.views`` means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from rankhub.catalog.hints import Steps, dotted, fields_of, step, unwrap
from rankhub.catalog.nearest import suggestion
from rankhub.recipe.labels import labels_of
from rankhub.recipe.like import PLACES, source_of
from rankhub.recipe.phases import OF_A_STREAM, PHASES, STREAMS
from rankhub.recipe.schema import Recipe

NO_OVERRIDE = "this is no override; expected the form a.b.c=value"
NO_PATH = "this is no path in a recipe; expected the form a.b.c"
EVERY = "*"


class Refused(Exception):
    """A path that leads nowhere: how far it leads, and why."""

    def __init__(self, steps: Steps, text: str) -> None:
        super().__init__(text)
        self.steps = steps


class _Absent(Exception):
    """A place behind a ``*`` that has no such item; it is passed over."""


def targets(data: dict[str, Any], segments: Sequence[str], shape: Any = Recipe) -> list[Steps]:
    """The places that a path means, in a recipe of the long form. Mappings on the way may not be there yet.

    An item of a list goes by its position or by its label: the component's name, ``NAME_2`` for the second of that
    name, the name of a phase. ``*`` means every entry; places behind it that lack an item are passed over.

    Args:
        data: The recipe.
        segments: The path, at the dots.
        shape: The type of the data; None = any mapping.

    Raises:
        Refused: There is no such place.
    """
    if shape is Recipe:
        _refuse_old(segments)
    found = list(_Walk(data, list(segments)).below(data, 0, (), shape))
    if not found:
        raise Refused((), f"there is nothing that its `{EVERY}` could mean")
    return found


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes down a path."""

    data: dict[str, Any]
    segments: list[str]

    def below(self, here: Any, number: int, done: Steps, hint: Any) -> Iterator[Steps]:
        if _takes_numbers(hint):  # whose keys are patterns, with dots and stars of their own
            yield (*done, ".".join(self.segments[number:]))
            return
        segment, last = self.segments[number], number == len(self.segments) - 1
        many = EVERY in self.segments[:number]
        for key in self._keys(here, segment, done, hint):
            if last:
                yield (*done, key)
                continue
            inner = here.get(key) if isinstance(here, dict) else here[int(key)]
            if inner is None:
                try:
                    inner = self._absent(str(key), done, hint, many)
                except _Absent:
                    continue
            try:
                yield from self.below(inner, number + 1, (*done, key), None if hint is None else step(hint, key))
            except _Absent:
                if segment != EVERY:  # the nearest `*` above passes on to its next entry
                    raise

    def _keys(self, here: Any, segment: str, done: Steps, hint: Any) -> list[str | int]:
        """The keys or positions that one segment of a path means."""
        if isinstance(here, dict):
            return list(here) if segment == EVERY else [segment]
        if isinstance(here, list):
            if segment == EVERY:
                return list(range(len(here)))
            return [self._position(here, segment, done)]
        if EVERY in self.segments[: len(done)]:
            raise _Absent
        raise Refused(done, f"{dotted(done)} is no mapping, so it has no {segment!r}")

    def _position(self, items: list[Any], segment: str, done: Steps) -> int:
        labels = labels_of(items)
        if segment in labels:
            return labels.index(segment)
        positions = [str(position) for position in range(len(items))]
        if segment in positions:
            return int(segment)
        if EVERY in self.segments[: len(done)]:
            raise _Absent
        known = [label for label in labels if label]
        there = f"it has 0 to {len(items) - 1}" if items else "it is empty"
        if known and not segment.isdigit():
            there = f"it has {', '.join(known)}" + suggestion(segment, known).partition("; expected")[0]
        raise Refused(done, f"{dotted(done)} is a list, {segment!r} is no item of it; {there}")

    def _absent(self, key: str, done: Steps, hint: Any, many: bool) -> Any:
        """What a key that is not there stands for: what its entry is like, or a mapping that will be made."""
        if len(done) == 2 and done[0] in PLACES:
            inherited = source_of(self.data, str(done[0]), str(done[1])).get(key)
            if inherited is not None:
                if many:  # the change of the source reaches its copies
                    raise _Absent
                return inherited
        if hint is None or hint is Any:
            return {}
        known, below = fields_of(unwrap(hint)[0]), step(hint, key)
        if known is None or below is None:
            if many:
                raise _Absent
            where, parent = dotted(done) or "a recipe", self._at(done)
            names = list(parent) if known is None else list(known)
            raise Refused((*done, key), f"{where} has no {key!r}{suggestion(key, names)}")
        return [] if get_origin(unwrap(below)[0]) is list else {}

    def _at(self, done: Steps) -> dict[str, Any]:
        here: Any = self.data
        for segment in done:
            here = here.get(segment) if isinstance(here, dict) else here[int(segment)] if isinstance(here, list) else {}
        return here if isinstance(here, dict) else {}


def _takes_numbers(hint: Any) -> bool:
    """Whether this is a mapping from names to numbers."""
    bare = unwrap(hint)[0]
    return get_origin(bare) is dict and unwrap(get_args(bare)[1])[0] is float


def _refuse_old(segments: Sequence[str]) -> None:
    """Paths of before streams stood at the top, each with its new form."""
    path = list(segments)
    if path[0] == PHASES and path[2:3] == [STREAMS] and len(path) > 4 and path[4] in OF_A_STREAM:
        path = [STREAMS, *path[3:]]
    if path[0] == STREAMS and path[2:3] == ["objectives"] and path[4:5] == ["loss"]:
        del path[4]
    if path != list(segments):
        raise Refused((), f"streams stand at the top, and an objective is its loss: write {'.'.join(path)}")
