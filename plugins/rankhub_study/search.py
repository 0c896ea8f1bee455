"""Which settings a method's trials have: a seeded draw, or a grid, from its joint search space."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from rankhub_study.plan import Dimension
from rankhub_study.points import labels

Setting = dict[str, Any]
"""Name of a dimension -> label of its value. Empty: the method's own setting."""

_ATTEMPTS = 1_000


def candidates(search: Mapping[str, Dimension], count: int, seed: str, draw: str) -> Iterator[Setting]:
    """Settings to try beside the own one, in order; some may be equal to it or to one another.

    Drawn ones come ``count`` at a time, and of those each choice of a dimension is taken as often as the others, up to
    one, each stratum of a range once (a Latin hypercube).

    The same arguments give the same settings.
    """
    known = {name: labels(dimension) for name, dimension in search.items()}
    if draw == "grid":
        for values in itertools.product(*known.values()):
            yield dict(zip(known, values, strict=True))
        return
    rng = random.Random(seed)
    for _ in range(_ATTEMPTS):
        columns = [_column(dimension, known[name], count, rng) for name, dimension in search.items()]
        for row in zip(*columns, strict=True):
            yield dict(zip(search, row, strict=True))
    finite = [values for values in known.values() if values]
    if len(finite) == len(known):  # a space so small that balanced draws repeat: what is left of it
        rest = list(itertools.product(*finite))
        rng.shuffle(rest)
        yield from (dict(zip(known, values, strict=True)) for values in rest)


def _column(dimension: Dimension, known: list[Any], count: int, rng: random.Random) -> list[Any]:
    """``count`` values of one dimension in random order, spread as evenly as can be."""
    if not known:
        assert dimension.low is not None
        assert dimension.high is not None
        strata = [(number + rng.random()) / count for number in range(count)]
        rng.shuffle(strata)
        if dimension.log:
            low, high = math.log(dimension.low), math.log(dimension.high)
            return [float(f"{math.exp(low + share * (high - low)):.3g}") for share in strata]
        return [float(f"{dimension.low + share * (dimension.high - dimension.low):.3g}") for share in strata]
    column: list[Any] = []
    while len(column) < count:
        turn = list(known)
        rng.shuffle(turn)
        column += turn
    column = column[:count]
    rng.shuffle(column)
    return column


def described(setting: Setting) -> str:
    """A setting in a line: ``lr 0.002, loss smooth_ap``; of dotted paths the last word."""
    words = [f"{name.rpartition('.')[2]} {_short(label)}" for name, label in setting.items()]
    return ", ".join(words) or "as it is"


def _short(label: Any) -> str:
    return f"{label:g}" if isinstance(label, float) else label if isinstance(label, str) else json.dumps(label)
