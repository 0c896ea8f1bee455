"""A JSON file for each seed and method, so that what is there is not done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pairs_comparison.held_out import HeldOutScore
from pairs_comparison.methods import TITLES
from pairs_comparison.race import Point, Rules
from rankhub import UserError
from rankhub.interfaces.files import write_text
from rankhub_study.changed import different


def settings(rules: Rules) -> dict[str, Any]:
    """All that results depend on but the seed, as plain data."""
    recipe = rules.recipe.resolved()
    recipe.pop("seed")
    told = {"recipe": recipe, "marks": rules.marks, "turn": rules.turn, "mining": rules.mining}
    return dict(json.loads(json.dumps(told)))


@dataclass(frozen=True)
class Records:
    """The results in a folder.

    Attributes:
        folder: Where they are.
        rules: What all of them must have been made by.
    """

    folder: Path
    rules: Rules

    def path(self, method: str, seed: int) -> Path:
        """Where a result is."""
        return self.folder / f"{method}-{seed}.json"

    def missing(self, methods: Sequence[str], seed: int) -> list[str]:
        """The methods of which this seed is not there.

        Raises:
            UserError: A result was made with other settings.
        """
        return [method for method in methods if self.read(method, seed) is None]

    def read(self, method: str, seed: int) -> list[Point] | None:
        """The points of a result, None if it is not there.

        Raises:
            UserError: It was made with other settings.
        """
        path = self.path(method, seed)
        if not path.is_file():
            return None
        stored = json.loads(path.read_text())
        if stored["settings"] != settings(self.rules):
            changed = ", ".join(sorted(place for place, *_ in different(stored["settings"], settings(self.rules))))
            raise UserError(
                f"{path} was made with other settings ({changed}); give another --out, or delete that folder"
            )
        return [Point(**{**point, "score": HeldOutScore(**point["score"])}) for point in stored["points"]]

    def write(self, method: str, seed: int, points: Sequence[Point]) -> None:
        """Keep a result that is complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "method": method,
            "seed": seed,
            "settings": settings(self.rules),
            "points": [asdict(point) for point in points],
        }
        write_text(self.path(method, seed), json.dumps(content, indent=1) + "\n")

    def all(self, seeds: Sequence[int]) -> dict[str, dict[int, list[Point]]]:
        """Method -> seed -> points, of what is there."""
        found = {method: {seed: self.read(method, seed) for seed in seeds} for method in TITLES}
        return {method: there for method, each in found.items() if (there := {s: p for s, p in each.items() if p})}
