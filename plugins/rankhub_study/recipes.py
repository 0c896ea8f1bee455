"""The recipes of a plan's methods, with all that is changed in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rankhub
from rankhub import Change, Document, LoadedRecipe, UserError
from rankhub_study.plan import Plan
from rankhub_study.points import overrides

Changes = list[Change | str]


@dataclass(frozen=True)
class Recipes:
    """Loads the recipe of each method.

    Attributes:
        plan: The plan.
        document: Its file, with lines.
        extra: Changes from the command line. Those of a data set are for the methods whose recipe has it.
        own: Changes that the program makes for itself: where things are kept, threads.
    """

    plan: Plan
    document: Document
    extra: Sequence[str] = ()
    own: Sequence[str] = ()
    _known: dict[tuple[str, ...], LoadedRecipe] = field(default_factory=dict)
    _catalog: list[Any] = field(default_factory=list)

    def source(self, name: str) -> str:
        """The recipe of a method: a name, or a path."""
        recipe = self.plan.methods[name].recipe
        path = Path(self.document.file).expanduser().parent / recipe
        return str(path) if path.suffix in (".yaml", ".yml") else recipe

    def overlays(self, name: str) -> list[str]:
        """Those of all methods, then its own; paths are relative to the plan's file."""
        folder = Path(self.document.file).expanduser().parent
        named = [*self.plan.overlays, *self.plan.methods[name].overlays]
        return [str(folder / one) if one.endswith((".yaml", ".yml")) else one for one in named]

    def shipped(self, name: str) -> LoadedRecipe:
        """The recipe as it comes, without a change."""
        return self._load((self.source(name),), self.source(name), [], [])

    def changes(self, name: str) -> Changes:
        """What all jobs of a method change: the plan's overrides, its sets, its own, those of the command line."""
        plan, method = self.plan, self.plan.methods[name]
        found: Changes = [*overrides(self.document, ("overrides",), plan.overrides)]
        for one in method.sets:
            found += overrides(self.document, ("sets", one), plan.sets[one])
        found += overrides(self.document, ("methods", name, "overrides"), method.overrides)
        named = {str(one).partition("=")[0].split(".")[1] for one in found if str(one).startswith("data.")}
        known = named.union(self.shipped(name).resolved()["data"]) if self.extra else named
        others = [text for text in self.extra if _data_of(text) is None or _data_of(text) in known]
        return [*found, *others]

    def strangers(self) -> list[str]:
        """Data sets that the command line names and no method has."""
        return [text for text in self.extra if not any(text in self.changes(name) for name in self.plan.methods)]

    def load(self, name: str, more: Sequence[Change | str] = (), *, need_data: bool = False) -> LoadedRecipe:
        """The recipe of a method with its changes and more.

        Raises:
            RecipeErrors: All that is wrong with it.
            UserError: There is no such recipe or overlay.
        """
        changes = [*self.changes(name), *more, *self.own]
        key = (name, str(need_data), *map(str, changes))
        return self._load(key, self.source(name), changes, self.overlays(name), need_data)

    def _load(
        self,
        key: tuple[str, ...],
        source: str,
        changes: Sequence[Change | str],
        overlays: Sequence[str],
        need_data: bool = False,
    ) -> LoadedRecipe:
        if key not in self._known:
            catalog = self._catalog[0] if self._catalog else None
            loaded = rankhub.load_recipe(source, changes, overlays=overlays, need_data=need_data, catalog=catalog)
            self._catalog[:] = [loaded.catalog]
            self._known[key] = loaded
        return self._known[key]


def _data_of(text: str) -> str | None:
    """The data set that an override is of."""
    path = text.partition("=")[0].split(".")
    return path[1] if path[0] == "data" and len(path) > 1 else None


@dataclass(frozen=True)
class Length:
    """How long the phases of a recipe are, and what a step of each costs.

    Attributes:
        names: Of the phases.
        own: Steps of each as the recipe says; None = it counts epochs.
        views: Per phase, views that pass the network in a step of each of its streams, in the order of their turns.
        turns: Per phase, steps before the next stream takes over; None = all streams in every step.
    """

    names: list[str]
    own: list[int | None]
    views: list[list[int]]
    turns: list[int | None]

    @classmethod
    def of(cls, loaded: LoadedRecipe) -> Length:
        """Of a recipe; reads no data."""
        recipe, assembly = loaded.resolved(), rankhub.Assembly.of(loaded.recipe, loaded.catalog)
        made = {name: chain[1].views for name in recipe["streams"] if (chain := assembly.chain(name)) is not None}
        phases = recipe["phases"]
        views = []
        for phase in phases:
            sizes = {
                name: use.get("batch_size") or recipe["streams"][name]["batch_size"]
                for name, use in phase["streams"].items()
            }
            views.append([size * made[name] for name, size in sizes.items()])
        turns = [phase["mix"]["alternate"] if isinstance(phase["mix"], dict) else None for phase in phases]
        return cls([phase["name"] for phase in phases], [phase["steps"] for phase in phases], views, turns)

    def forwards(self, steps: Sequence[int]) -> int:
        """Views that pass the network in so many steps of each phase."""
        return sum(_forwards(*each) for each in zip(steps, self.views, self.turns, strict=True))

    def shared(self, total: int) -> list[int]:
        """So many steps, dealt to the phases in proportion to the recipe's own.

        Raises:
            UserError: It has several phases, and some count epochs.
        """
        if len(self.names) == 1:
            return [total]
        known = [steps for steps in self.own if steps is not None]
        if len(known) < len(self.own):
            raise UserError("its phases count epochs, so a budget cannot be dealt to them; give each its `steps`")
        dealt = [max(1, round(total * steps / sum(known))) for steps in known[:-1]]
        return [*dealt, max(1, total - sum(dealt))]

    def steps_for(self, forwards: int) -> list[int]:
        """Steps of the phases that come to so many views.

        Raises:
            UserError: No number of steps comes within one percent.
        """
        trial = self.shared(1000 * len(self.names))
        per_step = self.forwards(trial) / sum(trial)
        steps = self.shared(max(1, round(forwards / per_step)))
        if abs(self.forwards(steps) - forwards) > 0.01 * forwards:
            raise UserError(f"{forwards:,} forwards are no whole number of its steps of {per_step:,.0f} views")
        return steps


def _forwards(steps: int, views: Sequence[int], turn: int | None) -> int:
    if turn is None:
        return steps * sum(views)
    rounds, rest = divmod(steps, turn * len(views))
    done = [rounds * turn + min(turn, max(0, rest - number * turn)) for number in range(len(views))]
    return sum(count * size for count, size in zip(done, views, strict=True))
