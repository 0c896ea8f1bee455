"""Numbers as people and their tools write them in tables."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)


def number(text: str) -> float:
    """A number with a decimal point; ``nan`` and ``inf`` are numbers here.

    Python's own further spellings are none: ``1_000``, digits of other scripts.

    Raises:
        ValueError: It is no number; thousands separators, percent signs and decimal commas are not guessed at.
    """
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no number")
    return float(text)
