"""Which settings a method's trials have: a seeded, balanced draw from its search space."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from comparison.plan import Dimension

Setting = dict[str, Any]
"""Name of a dimension -> its choice."""

_ATTEMPTS = 10_000


def settings(search: Mapping[str, Dimension], count: int, seed: str) -> list[Setting]:
    """``count`` different settings, the first with the first choice everywhere.

    Each choice of a dimension is taken as often as the others, up to one (a Latin hypercube on a grid), and no
    setting occurs twice. The same arguments give the same settings.

    Raises:
        ValueError: There are fewer different settings.
    """
    space = [range(len(dimension.choices)) for dimension in search.values()]
    first = tuple(0 for _ in space)
    if len(list(itertools.product(*space))) < count:
        raise ValueError(f"the search space holds fewer than {count} different settings")
    draw = random.Random(seed)
    for _ in range(_ATTEMPTS):
        columns = [_balanced(len(choices), count, draw) for choices in space]
        rows = [first, *zip(*columns, strict=True)][:count] if columns else [first]
        if len(set(rows)) == count:
            break
    else:  # a space so small that a balanced draw always repeats: take any different settings
        others = [row for row in itertools.product(*space) if row != first]
        rows = [first, *draw.sample(others, count - 1)]
    return [
        {name: dimension.choices[number] for (name, dimension), number in zip(search.items(), row, strict=True)}
        for row in rows
    ]


def _balanced(choices: int, count: int, draw: random.Random) -> list[int]:
    """``count - 1`` numbers below ``choices`` in random order; with a 0 before them each is as frequent as can be."""
    numbers: list[int] = []
    while len(numbers) < count:
        turn = list(range(choices))
        draw.shuffle(turn)
        if not numbers:
            turn.sort(key=bool)  # 0 first, the others as shuffled
        numbers += turn
    rest = numbers[1:count]
    draw.shuffle(rest)
    return rest


def overrides_of(search: Mapping[str, Dimension], setting: Mapping[str, Any]) -> dict[str, Any]:
    """Path -> value."""
    return {search[name].path: choice for name, choice in setting.items()}


def shown(setting: Mapping[str, Any]) -> str:
    """A setting in a line: ``loss smooth_ap (tau 0.05), lr 0.002``."""
    return ", ".join(f"{name} {_value(choice)}" for name, choice in setting.items()) or "no choice"


def _value(choice: Any) -> str:
    if isinstance(choice, Mapping):
        options = ", ".join(f"{key} {_value(value)}" for key, value in choice.items() if key not in ("use", "head"))
        name = str(choice.get("use", ""))
        return f"{name} ({options})" if name and options else name or options
    if isinstance(choice, Sequence) and not isinstance(choice, str):
        return " ".join(map(_value, choice))
    return f"{choice:g}" if isinstance(choice, float) else json.dumps(choice).strip('"')
