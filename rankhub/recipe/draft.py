"""A recipe on its way through the checks."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rankhub.catalog.catalog import Catalog, Entry
from rankhub.catalog.hints import Steps
from rankhub.recipe.reader import Document
from rankhub.recipe.report import Problem
from rankhub.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Checked:
    """A component of the recipe whose options fit its constructor.

    Attributes:
        kind: Its kind.
        entry: The component.
        spec: ``use`` and options as the recipe has them.
        options: The options with defaults.
    """

    kind: str
    entry: Entry
    spec: Mapping[str, Any]
    options: BaseModel


@dataclass(slots=True)
class Draft:
    """A recipe as data, what is wrong with it so far, and which of its components have passed.

    Attributes:
        document: The data with their places.
        catalog: Where components come from.
        problems: What is wrong.
        recipe: The recipe, once its shape is right.
        components: Place -> component that passed.
    """

    document: Document
    catalog: Catalog
    problems: list[Problem] = field(default_factory=list)
    recipe: Recipe | None = None
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

    def qualified(self) -> dict[str, Any]:
        """The recipe's data with every component that passed as ``owner/name``."""
        data = copy.deepcopy(self.document.data)
        for steps, component in self.components.items():
            here: Any = data
            for segment in steps:
                here = here[segment]
            here["use"] = component.entry.full_name
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
        here: Any = self.document.data
        for segment in steps:
            if isinstance(here, dict):
                here = here.get(str(segment))
            elif isinstance(here, list) and isinstance(segment, int) and segment < len(here):
                here = here[segment]
            else:
                return None
        return here

    def mapping(self, *steps: str | int) -> dict[str, Any]:
        """The mapping at ``steps``; empty if no mapping stands there."""
        here = self.get(*steps)
        return here if isinstance(here, dict) else {}

    def items(self, *steps: str | int) -> list[Any]:
        """The list at ``steps``; empty if no list stands there."""
        here = self.get(*steps)
        return here if isinstance(here, list) else []
