"""What is wrong with a recipe, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rankhub.catalog.hints import Steps, dotted
from rankhub.interfaces.errors import UserError


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands.

    Attributes:
        file: The file, as the user gave it: the recipe's, that of what it extends, or an overlay's.
        line: From 1.
        override: The override that put it there, or None.
        origin: The distribution that ships the file; "" = a user's.
    """

    file: str
    line: int
    override: str | None = None
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.override is None else f"override {self.override!r}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        place: Where.
        steps: The same place as keys and list positions from the top.
        text: What is wrong, what was expected, the nearest valid name.
        owner: The plugin whose component objects, or "".
    """

    place: Place
    steps: Steps
    text: str
    owner: str = ""

    def __str__(self) -> str:
        path = f"{dotted(self.steps)}: " if self.steps else ""
        owner = f" [{self.owner}]" if self.owner else ""
        return f"{self.place}  {path}{self.text}{owner}"


class RecipeErrors(UserError):
    """All that is wrong with a recipe; its text has a line for each and their number at the end.

    Args:
        problems: At least one.
        file: The recipe's file, as the user gave it, where problems may lie in other files too (what it extends,
            overlays); by default the file of the first problem.
    """

    def __init__(self, problems: Sequence[Problem], file: str | None = None) -> None:
        file = file or problems[0].place.file
        self.problems = in_order(problems, file)
        count = len(self.problems)
        lines = [f"{file} cannot be used:", *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join([*lines, f"{count} error{'s' if count > 1 else ''} in {file}"]))


def in_order(problems: Iterable[Problem], file: str) -> list[Problem]:
    """Each problem once: those of ``file`` by line, those of other files by line, then those of overrides."""

    def key(problem: Problem) -> tuple[bool, bool, str, int]:
        place = problem.place
        return place.override is not None, place.file != file, place.file, place.line

    return sorted(dict.fromkeys(problems), key=key)
