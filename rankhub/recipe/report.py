"""What is wrong with a recipe, as a person reads it."""

from collections.abc import Sequence
from dataclasses import dataclass

from rankhub.catalog.hints import KeyPath, dotted
from rankhub.interfaces.errors import UserError


@dataclass(frozen=True, slots=True)
class Location:
    """Where something stands: in a file, as the user gave it, or in an override."""

    file: str
    line: int  # from 1
    override: str | None = None
    origin: str = ""  # the distribution that ships the file; "" = a user's

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.override is None else f"override {self.override!r}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, what was expected, the nearest valid name."""

    location: Location
    steps: KeyPath  # its address: keys and list positions from the top
    text: str
    owner: str = ""  # the plugin whose component objects

    def __str__(self) -> str:
        path = f"{dotted(self.steps)}: " if self.steps else ""
        owner = f" [{self.owner}]" if self.owner else ""
        return f"{self.location}  {path}{self.text}{owner}"


class RecipeErrors(UserError):
    """All that is wrong with a recipe; its text has a line for each and their number at the end.

    Args:
        problems: At least one.
        file: The recipe's file, as the user gave it, where problems may lie in other files too (what it extends,
            overlays); by default the file of the first problem.
    """

    def __init__(self, problems: Sequence[Problem], file: str | None = None) -> None:
        self.file = file or problems[0].location.file
        self.problems = sorted(dict.fromkeys(problems), key=self._order)
        count = len(self.problems)
        lines = [f"{self.file} cannot be used:", *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join([*lines, f"{count} error{'s' if count > 1 else ''} in {self.file}"]))

    def _order(self, problem: Problem) -> tuple[bool, bool, str, int]:
        """Those of the recipe's file by line, those of other files by line, then those of overrides."""
        location = problem.location
        return location.override is not None, location.file != self.file, location.file, location.line
