"""Labels as people give them: read, checked, and written as the table keeps them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from pydantic import FiniteFloat

from rankhub.interfaces.files import typed
from rankhub_active.labeling.settings import Settings
from rankhub_tables.numbers import number as number_of

Point = tuple[float, float]


class LabelError(ValueError):
    """A label that cannot be taken; the message ends the sentence "IMAGE: ..."."""


def score(value: str | float, settings: Settings) -> str:
    """A score, or a count, as the table keeps it.

    Raises:
        LabelError: No number, not finite, out of range; for a count, not a whole number of at least 0.
    """
    try:
        number = _number(value)
    except (TypeError, ValueError):
        point = "; decimals take a point" if isinstance(value, str) and "," in value else ""
        raise LabelError(f"{_shown(value)} is no number{point}") from None
    if not math.isfinite(number):
        raise LabelError(f"{_shown(value)} is no finite number")
    if settings.takes == "count":
        if number < 0 or number != int(number):
            raise LabelError(f"{_plain(number)} is no count; expected a whole number of at least 0")
        return str(int(number))
    low, high = settings.low, settings.high
    if (low is not None and number < low) or (high is not None and number > high):
        raise LabelError(f"{_plain(number)} is not {between(low, high)}")
    return repr(number)


def points(values: Sequence[Sequence[float]], size: tuple[int, int]) -> str:
    """Points as the table keeps them: JSON, x and y in pixels from the left and the top edge of the image.

    ``size`` is height and width of the image.

    Raises:
        LabelError: No pair of finite numbers, or outside the image.
    """
    height, width = size
    kept = []
    for value in values:
        try:
            x, y = map(_number, [] if isinstance(value, str) else value)
        except (TypeError, ValueError):
            raise LabelError(f"{_shown(value)} is no point; expected x and y") from None
        if not (0 <= x <= width and 0 <= y <= height):  # NaN is refused too
            raise LabelError(f"the point {_plain(x)}, {_plain(y)} is outside the image of {width} x {height} pixels")
        kept.append([round(x, 2), round(y, 2)])
    return json.dumps(kept)


def read_points(label: str) -> list[Point]:
    """The points of a label that :func:`points` wrote."""
    found = typed(label, list[tuple[FiniteFloat, FiniteFloat]], "a label of the pool", "take it anew with --amend")
    return [(x, y) for x, y in found]


def between(low: float | None, high: float | None) -> str:
    """A range in words."""
    if low is None:
        return f"at most {_plain(high)}" if high is not None else "any number"
    return f"from {_plain(low)} to {_plain(high)}" if high is not None else f"at least {_plain(low)}"


def _number(value: str | float) -> float:
    """A number; Python's own spellings, such as 1_000 and True, are none that people write."""
    if isinstance(value, bool):
        raise ValueError(value)
    try:
        return number_of(value.strip()) if isinstance(value, str) else float(value)
    except OverflowError:
        return math.inf


def _plain(number: float) -> str:
    """All digits of a number that are its own, so that 5.0000001 is not shown as 5."""
    return repr(number).removesuffix(".0")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
