"""Ranked sets: which versions of one image are made, in which groups, and at which level each stands."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from rankhub.interfaces.errors import Objection
from rankhub_quality.distortion.kinds import KINDS, DistortionKind
from rankhub_quality.distortion.sets import LIVE, MLIVE_BLUR, MLIVE_JPEG, MLIVE_NOISE, TID2013, Levels

Position = tuple[int, ...]
"""A degree of each stage of a group, 1 = mildest; all 0 is the pristine image."""

SetName = Literal["live", "tid2013", "mlive"]


@dataclass(frozen=True, slots=True)
class KindLevels:
    """A kind of distortion and its strengths, as a recipe writes them.

    Attributes:
        kind: A name in `rankhub_quality.distortion.kinds.KINDS`.
        levels: Strengths in the kind's unit, mild to strong.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    kind: str
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RankedGroup:
    """Versions of an image that are ranked among themselves: one distortion, or several one after the other.

    Every degree of the first stage is combined with every degree of the next ones. A version ranks above another one
    if no stage is stronger and one is milder (product order); a single stage gives a plain order.

    Attributes:
        stages: In the order in which they are applied.
    """

    stages: tuple[Levels, ...]

    @property
    def name(self) -> str:
        """The kinds: ``jpeg``, ``gaussian_blur+jpeg``."""
        return "+".join(stage.kind for stage in self.stages)

    @property
    def pristine(self) -> Position:
        """The position of the undistorted image."""
        return (0,) * len(self.stages)

    @property
    def positions(self) -> list[Position]:
        """The distorted versions, those of the last stage running fastest, each mild to strong."""
        return list(itertools.product(*(range(1, len(stage.strengths) + 1) for stage in self.stages)))

    def level(self, position: Position) -> float | tuple[float, ...]:
        """In [0, 1] a stage: 1 is pristine, 0 the strongest degree, the others at equal steps between."""
        columns = tuple(1 - p / len(stage.strengths) for p, stage in zip(position, self.stages, strict=True))
        return columns[0] if len(columns) == 1 else columns

    def lines(self) -> list[list[Position]]:
        """Positions that differ in one stage only, mild to strong: every such series, of every stage."""
        found = []
        for axis in range(len(self.stages)):
            series: dict[Position, list[Position]] = {}
            for position in self.positions:
                series.setdefault(position[:axis] + position[axis + 1 :], []).append(position)
            found += list(series.values())
        return found

    def describe(self, position: Position) -> str:
        """``jpeg 12 (level 2 of 5)``."""
        parts = (
            f"{stage.kind} {stage.strengths[p - 1]:g} (level {p} of {len(stage.strengths)})"
            for p, stage in zip(position, self.stages, strict=True)
        )
        return " after ".join(reversed(list(parts)))


def ranked_groups(chosen: SetName | Sequence[KindLevels]) -> tuple[RankedGroup, ...]:
    """The groups of a named set, or of kinds and levels of one's own.

    Raises:
        Objection: An unknown kind, or levels that are no strengths of it from mild to strong.
    """
    if chosen == "live":
        return tuple(RankedGroup((levels,)) for levels in LIVE)
    if chosen == "tid2013":
        return tuple(RankedGroup((levels,)) for levels in TID2013)
    if chosen == "mlive":
        return tuple(RankedGroup((MLIVE_BLUR, second)) for second in (MLIVE_JPEG, MLIVE_NOISE))
    groups = tuple(RankedGroup((Levels(own.kind, tuple(own.levels)),)) for own in chosen)
    if not groups:
        raise Objection("the set is empty; name at least one kind with its levels, or one of live, tid2013, mlive")
    for group in groups:
        _check(group.stages[0])
    names = [group.name for group in groups]
    for name in names:
        if names.count(name) > 1:
            raise Objection(f"{name} stands in the set {names.count(name)} times; put its levels into one list")
    return groups


def _check(own: Levels) -> None:
    kind, strengths = _kind(own.kind), own.strengths
    if not strengths:
        raise Objection(f"{kind.name} has no levels; give at least one, mild to strong ({kind.unit})")
    low, high = kind.bounds
    for strength in strengths:
        below, above = low is not None and strength < low, high is not None and strength > high
        if below or above or not math.isfinite(strength):
            raise Objection(f"{kind.name} has the level {strength:g}; expected {kind.unit}{_between(low, high)}")
    ordered = sorted(set(strengths), reverse=not kind.grows)
    if list(strengths) != ordered:
        way = "larger" if kind.grows else "smaller"
        listed = ", ".join(f"{strength:g}" for strength in strengths)
        wanted = ", ".join(f"{strength:g}" for strength in ordered)
        raise Objection(
            f"the levels of {kind.name} run from mild to strong, each {way} than the one before ({kind.unit}); "
            f"got [{listed}], write [{wanted}]"
        )


def _kind(name: str) -> DistortionKind:
    if name in KINDS:
        return KINDS[name]
    near = difflib.get_close_matches(name.lower(), KINDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(KINDS))}"
    raise Objection(f"no kind of distortion is called {name!r}; {hint}")


def _between(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return f" of at most {high:g}" if high is not None else ""
