"""Changes to a recipe: ``a.b.c=value`` from the command line, and overlays, files of changes that fit many recipes."""

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rankhub.catalog.hints import KeyPath
from rankhub.recipe import phases
from rankhub.recipe.address import NO_OVERRIDE, NO_PATH, Refused, targets
from rankhub.recipe.extends import EXTENDS, source_of
from rankhub.recipe.reader import Document, list_at, read_value, read_yaml
from rankhub.recipe.report import Location, Problem
from rankhub.recipe.schema import LENGTHS, Recipe
from rankhub.recipe.shipped import Source


@dataclass(frozen=True, slots=True)
class Change:
    """A value to be set in a recipe.

    Attributes:
        path: ``a.b.c``; an item of a list goes by its position or its label, and ``*`` means every entry.
        value: Plain data.
        location: Where the change is asked for; what it sets stands there from then on.
        inside: Where the entries inside ``value`` stand, if not at ``location``.
    """

    path: str
    value: Any
    location: Location
    inside: Mapping[KeyPath, Location] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it would stand on the command line."""
        return f"{self.path}={json.dumps(self.value, ensure_ascii=False, default=str)}"


def apply_overrides(document: Document, overrides: Iterable[str | Change], shape: Any = Recipe) -> list[Problem]:
    """Change ``document`` in place, one override after the other; what each sets stands at the override from then on.

    The value is read as YAML. Paths lead through a recipe's long form, whose type is ``shape``, or through any mapping
    where that is None. A key that is not there yet is made where the recipe's schema has one of that name; whether it
    is a good one is checked with the rest of the recipe. Returned are the overrides that cannot be applied.

    Raises:
        RecipeErrors: A value has the form of recipes of an earlier version.
    """
    problems = phases.write_out(document) if shape is not None else []
    for override in overrides:
        change = override
        if isinstance(change, str):
            location = Location(document.file, 0, change)
            path, equals, text = change.partition("=")
            try:
                change = Change(path.strip(), read_value(text), location)
            except ValueError as error:
                problems.append(Problem(location, (), f"the value {error}"))
                continue
            if not equals:
                problems.append(Problem(location, (), NO_OVERRIDE))
                continue
        try:
            _apply(document, change, shape)
        except Refused as refused:
            problems.append(Problem(change.location, refused.steps, str(refused)))
            continue
        problems += phases.write_out(document) if shape is not None else []
    return problems


def apply_overlay(document: Document, overlay: Source, shape: Any) -> list[Problem]:
    """Change ``document`` in place: each path of the overlay, from top to bottom, as an override would.

    What it sets stands at the overlay's lines from then on. Returned are the lines that cannot be applied.

    Raises:
        RecipeErrors: The overlay is no mapping or no YAML.
    """
    expected = "a mapping from paths in a recipe, such as optimizer.lr or phases.*.epochs, to values"
    read_in = read_yaml(overlay.text, overlay.file, expected, overlay.origin)
    changes = []
    for path, value in read_in.data.items():
        inside = {steps[1:]: where for steps, where in read_in.locations.items() if steps[:1] == (path,) and steps[1:]}
        changes.append(Change(path.strip(), value, read_in.location((path,)), inside))
    return apply_overrides(document, changes, shape)


def _apply(document: Document, change: Change, shape: Any) -> None:
    """Make one change of a recipe in its long form, or of another mapping."""
    segments = change.path.split(".")
    override = change.location.override is not None
    if not all(segments):
        raise Refused((), NO_OVERRIDE if override else NO_PATH)
    if segments == [EXTENDS]:
        raise Refused((), "what a recipe extends is said in its file alone; write `extends:` there")
    if shape is not None:
        segments = _long(document, segments, override)
    for steps in targets(document.data, segments, shape):
        _set(document, steps, copy.deepcopy(change.value), change)


def _long(document: Document, segments: list[str], override: bool) -> list[str]:
    """The long form of a path, which may be one to a key that a recipe of one phase has at its top."""
    key = segments[0]
    if key not in phases.OF_THE_PHASE:
        return segments
    listed = list_at(document.data, phases.PHASES)
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


def _set(document: Document, steps: KeyPath, value: Any, change: Change) -> None:
    parent: Any = document.data
    for length, segment in enumerate(steps[:-1], 1):
        if isinstance(parent, dict) and parent.get(segment) is None:
            # Of an entry that is like another, what is changed here is a copy from now on.
            inherited = source_of(document.data, steps[: length - 1]).get(str(segment))
            parent[segment] = {} if inherited is None else copy.deepcopy(inherited)
            document.locations.setdefault(steps[:length], change.location)
        parent = parent[segment]
    if steps[-1] == "use" and "use" in parent:
        document.replaced.setdefault(steps[:-1], parent["use"])
    parent[steps[-1]] = value
    document.forget(steps)
    document.locations.update({(*steps, *below): location for below, location in change.inside.items()})
    document.locations[steps] = change.location
    if len(steps) == 3 and steps[0] == phases.PHASES and steps[-1] in LENGTHS and value is not None:
        for other in LENGTHS:  # the two are one choice
            if other != steps[-1] and parent.pop(other, None) is not None:
                document.forget((*steps[:-1], other))
