"""What every index asks of the vectors that it is handed, and how many queries it answers at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rankhub.interfaces.errors import UserError
from rankhub_find.structures import Floats, Ints
from rankhub_ranking.embeddings import unit_rows

QUERIES = 1024
"""Queries that are answered at a time."""

Found = tuple[npt.NDArray[np.float64], Ints]
"""Rounded cosines [q, k] and rows [q, k], -inf and -1 where there are no more."""


def unit_vectors(names: Sequence[str], vectors: Any, dim: int) -> Floats:
    """[n, dim] float32 of unit length, of numbers [n, dim] of any length.

    Raises:
        UserError: They have another shape, a name comes twice, or a number is not finite.
    """
    found = np.asarray(vectors)
    if found.shape != (len(names), dim):
        raise UserError(f"{len(names)} names of {dim} columns each, got vectors {list(found.shape)}")
    if len(set(names)) < len(names):
        raise UserError("a name comes twice")
    rows: Floats = unit_rows(torch.from_numpy(np.array(found, np.float32))).numpy()
    if not np.isfinite(rows).all():
        bad = names[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])]
        raise UserError(f"the vector of {bad} is not finite; the network's weights have diverged")
    return rows


def unit_queries(vectors: Any, dim: int, k: int) -> Floats:
    """[q, dim] float32 of unit length, to be searched for.

    Raises:
        UserError: They have another shape, a number is not finite, or ``k`` is below 1.
    """
    queries = np.asarray(vectors)
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise UserError(f"the index has vectors of {dim} columns, queries have the shape {list(queries.shape)}")
    if k < 1:
        raise UserError(f"k is at least 1, got {k}")
    units: Floats = unit_rows(torch.from_numpy(np.array(queries, np.float32))).numpy()
    if not np.isfinite(units).all():
        raise UserError("a query is not finite")
    return units


def in_parts(units: Floats, k: int, nearest: Callable[[Floats, int], Found]) -> Found:
    """What ``nearest`` finds for queries [q, dim], few of which it is handed at a time."""
    parts = [nearest(units[first : first + QUERIES], k) for first in range(0, len(units), QUERIES)]
    if not parts:
        return np.empty((0, k)), np.empty((0, k), np.int64)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def checked_above(above: float) -> None:
    """Refuse what is no cosine.

    Raises:
        UserError: It is not within -1 and 1.
    """
    if not -1 <= above <= 1:
        raise UserError(f"a cosine lies between -1 and 1, got {above}")
