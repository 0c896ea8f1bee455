"""``a.b.c=value``: changes to a recipe from the command line, and those that an overlay makes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rankhub.catalog.hints import Steps
from rankhub.interfaces.errors import UserError
from rankhub.recipe import phases
from rankhub.recipe.address import NO_OVERRIDE, NO_PATH, Refused, targets
from rankhub.recipe.like import source_of
from rankhub.recipe.reader import Document, read_value
from rankhub.recipe.report import Place, Problem
from rankhub.recipe.schema import LENGTHS, Recipe


@dataclass(frozen=True, slots=True)
class Change:
    """A value to be set in a recipe.

    Attributes:
        path: ``a.b.c``; an item of a list goes by its position or its label, and ``*`` means every entry.
        value: Plain data.
        place: Where the change is asked for; what it sets stands there from then on.
        inside: Where the entries inside ``value`` stand, if not at ``place``.
    """

    path: str
    value: Any
    place: Place
    inside: Mapping[Steps, Place] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it would stand on the command line."""
        return f"{self.path}={json.dumps(self.value, ensure_ascii=False, default=str)}"


def apply_overrides(document: Document, overrides: Sequence[str | Change], shape: Any = Recipe) -> list[Problem]:
    """Change ``document`` in place; what an override sets stands at the override from then on.

    The value is read as YAML. For the path see :func:`apply_changes`.

    Args:
        document: A recipe, or other data.
        overrides: ``a.b.c=value``, or changes that know where they are asked for.
        shape: The type of the data; None = any mapping.

    Returns:
        The overrides that cannot be applied.

    Raises:
        RecipeErrors: As :func:`apply_changes`.
    """
    problems = []
    for override in overrides:
        if isinstance(override, Change):
            problems += apply_changes(document, [override], shape)
            continue
        place = Place(document.file, 0, override)
        path, equals, text = override.partition("=")
        try:
            value = read_value(text)
        except ValueError as error:
            problems.append(Problem(place, (), f"the value {error}"))
            continue
        if equals:
            problems += apply_changes(document, [Change(path.strip(), value, place)], shape)
        else:
            problems.append(Problem(place, (), NO_OVERRIDE))
    return problems


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """Options of a component as they are typed: ``option=value`` or ``option.part=value``, by the rules of overrides.

    Raises:
        UserError: A word is not of that form, or its value is no YAML.
    """
    options: dict[str, Any] = {}
    for word in words:
        path, equals, value = word.partition("=")
        first, dot, rest = path.partition(".")
        if not equals:
            raise UserError(f"the option {word!r} has no value; write {word}=VALUE")
        if dot and first not in options:
            raise UserError(
                f"the option {word!r} is a part of {first!r}, which is not given; write {first}={{{rest}: {value}}}"
            )
        problems = apply_overrides(Document(options, "options"), [word], shape=None)
        if problems:
            raise UserError(f"the option {word!r} cannot be used: {problems[0].text}")
    if "use" in options:
        raise UserError("`use` is no option: it names the component that has them")
    return options


def apply_changes(document: Document, changes: Iterable[Change], shape: Any = Recipe) -> list[Problem]:
    """Change ``document`` in place, one change after the other.

    Paths lead through the recipe's long form. A key that is not there yet is made where the recipe's schema has one of
    that name; whether it is a good one is checked with the rest of the recipe.

    Returns:
        The changes that cannot be made.

    Raises:
        RecipeErrors: A value has the form of recipes of an earlier version.
    """
    problems = []
    for change in changes:
        segments = change.path.split(".")
        override = change.place.override is not None
        try:
            if not all(segments):
                raise Refused((), NO_OVERRIDE if override else NO_PATH)
            if segments == ["extends"]:
                raise Refused((), "what a recipe extends is said in its file alone; write `extends:` there")
            if shape is Recipe:
                problems += phases.write_out(document)
                segments = _long(document, segments, override)
            for steps in targets(document.data, segments, shape):
                _set(document, steps, copy.deepcopy(change.value), change)
            if shape is Recipe:
                problems += phases.write_out(document)
        except Refused as refused:
            problems.append(Problem(change.place, refused.steps, str(refused)))
    return problems


def _long(document: Document, segments: list[str], override: bool) -> list[str]:
    """The long form of a path, which may be one to a key that a recipe of one phase has at its top."""
    key = segments[0]
    if key not in phases.OF_THE_PHASE:
        return segments
    found = document.data.get(phases.PHASES)
    listed = found if isinstance(found, list) else []
    if not override and key in LENGTHS and not phases.is_short(document):
        # As a recipe that extends another would: the one length takes the place of all phases.
        document.forget((phases.PHASES,))
        phases.one_phase(document, [])
        listed = document.data[phases.PHASES]
    if len(listed) == 1:
        return [phases.PHASES, "0", *segments]
    names = [str(phase.get("name")) for phase in listed if isinstance(phase, dict)]
    if not names:
        raise Refused((), f"the recipe has no phase yet whose `{key}` it could be")
    rest = ".".join([key, *segments[1:]])
    choices = " or ".join(f"phases.{name}.{rest}" for name in names)
    raise Refused((), f"the recipe has {len(names)} phases; say which one is meant: {choices}")


def _set(document: Document, steps: Steps, value: Any, change: Change) -> None:
    parent: Any = document.data
    for length, segment in enumerate(steps[:-1], 1):
        if isinstance(parent, dict) and parent.get(segment) is None:
            # Of an entry that is like another, what is changed here is a copy from now on.
            inherited = (
                source_of(document.data, str(steps[0]), str(steps[1])).get(str(segment)) if length == 3 else None
            )
            parent[segment] = {} if inherited is None else copy.deepcopy(inherited)
            document.places.setdefault(steps[:length], change.place)
        parent = parent[segment]
    parent[steps[-1]] = value
    document.forget(steps)
    document.places.update({(*steps, *below): place for below, place in change.inside.items()})
    document.places[steps] = change.place
    if len(steps) == 3 and steps[0] == phases.PHASES and steps[-1] in LENGTHS and value is not None:
        for other in LENGTHS:  # the two are one choice
            if other != steps[-1] and parent.pop(other, None) is not None:
                document.forget((*steps[:-1], other))
