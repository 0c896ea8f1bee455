"""The comparable pairs of ranked views by their definition, as a slow reference."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def brute(owner: npt.ArrayLike, level: npt.ArrayLike) -> set[tuple[int, int]]:
    """All (upper, lower): a ranks above b of the same owner if >= in every column of its level and > in one."""
    owner = np.asarray(owner)
    level = np.asarray(level).reshape(len(owner), -1)
    return {
        (a, b)
        for a in range(len(owner))
        for b in range(len(owner))
        if owner[a] == owner[b] and (level[a] >= level[b]).all() and (level[a] > level[b]).any()
    }
