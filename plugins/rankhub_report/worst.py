"""Tables of predictions: scatter, and the images of the largest error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rankhub_report.kept import Table

TRUE = ("score", "count")
"""Columns of an evaluator's table that hold what ``predicted`` should be."""
GROUPS = ("kind", "reference", "backdrop")
"""Columns that colour the points of a scatter."""
MOST_WORST = 20


@dataclass(frozen=True, slots=True)
class Guess:
    """One image of a table: what it is called, its group, its label and the network's answer."""

    image: str
    group: str
    true: float
    predicted: float

    @property
    def error(self) -> float:
        """Absolute, on the scale of the labels."""
        return abs(self.predicted - self.true)


@dataclass(frozen=True, slots=True)
class Bad:
    """An image of the worst: its name, and what is wrong in words."""

    image: str
    words: str


def guesses(tables: Mapping[str, Table]) -> dict[str, list[Guess]]:
    """Name of a table -> its rows, of every table with predictions beside labels, but for rows without numbers."""
    found = {}
    for name, rows in tables.items():
        true = next((column for column in TRUE if rows and column in rows[0]), None)
        if true is None or not {"image", "predicted"} <= rows[0].keys():
            continue
        group = next((column for column in GROUPS if column in rows[0]), "")
        known = [
            Guess(row.get("image", ""), row.get(group, ""), number(row.get(true)), number(row.get("predicted")))
            for row in rows
        ]
        if kept := [guess for guess in known if math.isfinite(guess.true) and math.isfinite(guess.predicted)]:
            found[name] = kept
    return found


def largest_errors(rows: list[Guess]) -> list[Bad]:
    """The twenty of the largest error, the worst first; equal ones in the order of the table."""
    ordered = sorted(rows, key=lambda guess: -guess.error)[:MOST_WORST]
    return [
        Bad(one.image, f"label {one.true:.4g}, answer {one.predicted:.4g}, error {one.error:.4g}") for one in ordered
    ]


def number(text: str | None) -> float:
    """A cell as a number; NaN where it is none."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
