"""The nearest valid name, for a sentence about a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 12
"""Names listed where none is near; a longer list tells a reader less than none."""


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that looks most like ``word``, whatever its case; None if none is near."""
    lowered = {name.lower(): name for name in names}
    found = get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def suggestion(word: str, names: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, or the valid names where none is near, or nothing where there is no name."""
    valid = sorted(set(names))
    near = nearest(word, valid)
    if near is not None:
        return f"; did you mean {near!r}?"
    if not valid:
        return ""
    more = f" and {len(valid) - _SHOWN} more" if len(valid) > _SHOWN else ""
    return f"; expected {'one of ' if len(valid) > 1 else ''}{', '.join(valid[:_SHOWN])}{more}"
