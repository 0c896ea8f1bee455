"""What an audit found: shares of pairs by kind and level, and how much the score moves where it should not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rankhub_use.ordered import Orders, Pair, judged

CHANGES = {
    "flip": "left and right exchanged",
    "jpeg95": "written and read as JPEG of quality 95",
    "batch": "scored beside two others",
}
"""What should not change a score."""

Scored = Mapping[str, Any]
"""Of one image: ``kinds``, ``levels`` and ``scores`` of its versions; ``plain``, and each of :data:`CHANGES`."""


@dataclass(slots=True)
class Share:
    """Pairs, and how many of them are right or tied."""

    pairs: int = 0
    right: int = 0
    ties: int = 0

    def add(self, verdict: int) -> None:
        """Count one, as :func:`~rankhub_use.ordered.judged` gives it."""
        self.pairs += 1
        self.right += verdict > 0
        self.ties += verdict == 0

    def cells(self) -> dict[str, Any]:
        """As a table has it; ``right`` + ``ties`` + ``wrong`` = 1."""
        shares = (self.right, self.ties, self.pairs - self.right - self.ties)
        named = zip(("right", "ties", "wrong"), shares, strict=True)
        return {"pairs": self.pairs, **{name: count / self.pairs for name, count in named}}


@dataclass(slots=True)
class Findings:
    """Of all images so far.

    Attributes:
        all: Every pair.
        kinds: By kind.
        pairs: By kind and both levels.
        moved: Change -> sum and maximum of its absolute effect on the score.
        images: How many there were.
    """

    all: Share = field(default_factory=Share)
    kinds: dict[int, Share] = field(default_factory=dict)
    pairs: dict[Pair, Share] = field(default_factory=dict)
    moved: dict[str, tuple[float, float]] = field(default_factory=lambda: dict.fromkeys(CHANGES, (0.0, 0.0)))
    images: int = 0
    _moments: tuple[int, float, float] = (0, 0.0, 0.0)

    @classmethod
    def of(cls, rows: Iterable[Scored], higher_is_better: bool) -> Findings:
        """Of images one after the other."""
        found = cls()
        for row in rows:
            found._add(row, higher_is_better)
        return found

    def _add(self, row: Scored, higher_is_better: bool) -> None:
        levels = [tuple(level) for level in row["levels"]]
        for pair, verdict in judged(row["kinds"], levels, row["scores"], higher_is_better):
            for share in (
                self.all,
                self.kinds.setdefault(pair[0], Share()),
                self.pairs.setdefault(pair, Share()),
            ):
                share.add(verdict)
        for change, (total, most) in self.moved.items():
            by = abs(row[change] - row["plain"])
            self.moved[change] = (total + by, max(most, by))
        self.images += 1
        for score in [row["plain"], *row["scores"]]:  # Welford's: a sum of squares would lose small spreads
            count, mean, squares = self._moments
            away = score - mean
            mean += away / (count + 1)
            self._moments = (count + 1, mean, squares + away * (score - mean))

    @property
    def spread(self) -> float:
        """Standard deviation of all scores."""
        count, _, squares = self._moments
        return math.sqrt(squares / count) if count else math.nan

    def by_kind(self, orders: Orders) -> list[dict[str, Any]]:
        """A line a kind, and one for all."""
        lines = [{"kind": orders.kind(kind), **share.cells()} for kind, share in sorted(self.kinds.items())]
        return [*lines, {"kind": "all", **self.all.cells()}] if self.all.pairs else lines

    def by_level(self, orders: Orders) -> list[dict[str, Any]]:
        """A line a kind and pair of levels, from the highest down."""
        order = sorted(self.pairs, key=lambda pair: (pair[0], [-x for x in pair[1]], [-x for x in pair[2]]))
        return [
            {"kind": orders.kind(pair[0]), "above": _said(pair[1]), "below": _said(pair[2]), **self.pairs[pair].cells()}
            for pair in order
        ]

    def invariance(self) -> list[dict[str, Any]]:
        """A line a change: mean and maximum of its effect, in the score's unit and as a part of the spread."""
        spread = self.spread
        return [
            {
                "change": change,
                "mean": total / self.images,
                "most": most,
                "mean_of_spread": _part(total / self.images, spread),
                "most_of_spread": _part(most, spread),
            }
            for change, (total, most) in self.moved.items()
            if self.images
        ]


def _part(by: float, spread: float) -> float:
    return by / spread if spread > 0 else 0.0 if by == 0 else math.inf


def _said(level: tuple[float, ...]) -> str:
    return " ".join(f"{value:.4g}" for value in level)
