"""A recipe on its way through the checks."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rankhub.catalog.catalog import Catalog, Entry
from rankhub.catalog.hints import Steps, walk
from rankhub.catalog.options import plain
from rankhub.interfaces.options import Refers
from rankhub.recipe.reader import Document, at, list_at, mapping_at
from rankhub.recipe.report import Problem
from rankhub.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Checked:
    """A component of the recipe whose options, here with defaults, fit its constructor."""

    entry: Entry
    options: BaseModel

    def refers(self) -> Iterator[tuple[Steps, str, str]]:
        """The names in its options: where they stand, of what they are names, and the names."""
        for spot in walk(type(self.options), plain(self.options)):
            if isinstance(spot.mark, Refers) and isinstance(spot.value, str):
                yield spot.steps, spot.mark.to, spot.value


@dataclass(slots=True)
class Draft:
    """A recipe as data, what is wrong with it so far, and which of its components have passed."""

    document: Document
    catalog: Catalog
    problems: list[Problem] = field(default_factory=list)
    recipe: Recipe | None = None  # once its shape is right
    components: dict[Steps, Checked] = field(default_factory=dict)
    _failed: set[Steps] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._failed.update(problem.steps for problem in self.problems)

    def add(self, steps: Steps, text: str, owner: str = "") -> None:
        """Something is wrong at ``steps``."""
        self._failed.add(steps)
        self.problems.append(self.document.problem(steps, text, owner))

    def failed(self, steps: Steps) -> bool:
        """Whether something is wrong with what stands at ``steps`` or inside it."""
        return any(known[: len(steps)] == steps for known in self._failed)

    def resolved(self) -> dict[str, Any]:
        """The recipe's data with every component that passed as ``owner/name``, with all its options."""
        data = copy.deepcopy(self.document.data)
        for steps, component in sorted(self.components.items(), key=lambda item: len(item[0])):
            # The schedules among the options follow: their places are longer.
            at(data, steps).update({"use": component.entry.full_name, **plain(component.options)})
        return data

    def refused(self, steps: Steps) -> bool:
        """Whether something is wrong with the very entry at ``steps``."""
        return steps in self._failed

    def owner(self, steps: Steps) -> str:
        """The plugin of the component at ``steps``; "" where there is none."""
        component = self.components.get(steps)
        return "" if component is None else component.entry.owner

    def get(self, *steps: str | int) -> Any:
        """What stands at ``steps``; None if nothing does."""
        return at(self.document.data, steps)

    def mapping(self, *steps: str | int) -> dict[str, Any]:
        """The mapping at ``steps``; empty if no mapping stands there."""
        return mapping_at(self.document.data, *steps)

    def items(self, *steps: str | int) -> list[Any]:
        """The list at ``steps``; empty if no list stands there."""
        return list_at(self.document.data, *steps)
