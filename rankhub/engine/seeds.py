"""Seeds for the purposes of a run."""

from __future__ import annotations

from rankhub.interfaces.draws import Draws


def seeded(seed: int, word: str) -> int:
    """A seed for one purpose of a run: a function of the recipe's seed and of a word."""
    return int(Draws(seed, word, 0).at(0, 0).bits("seed")[0, 0] >> 1)
