"""Groups of rows that are linked by high similarity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_PENDING = 2**22
"""Pairs that are held before they are joined to groups."""


NEIGHBOURS, MOST_NEIGHBOURS = 32, 1024
"""Where an index is not flat: neighbours of each row that are looked among; then more, up to so many."""

Nearest = Callable[[npt.NDArray[np.int64], int], tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]
"""(rows [q], k) -> similarities and rows [q, k], -1 where there are no more."""


@dataclass(frozen=True, slots=True)
class Group:
    """Images that look alike, the one that was indexed first at the beginning.

    Attributes:
        names: Of the images.
        similarity: Of each image to the first one; below the threshold where it belongs here through others.
    """

    names: Sequence[str]
    similarity: Sequence[float]


def components(count: int, pairs: Iterable[npt.NDArray[np.int64]]) -> list[npt.NDArray[np.int64]]:
    """The connected components of two rows or more: rows ascending, the largest component first, then by first row.

    ``pairs``: parts [m, 2] of the links between ``count`` rows; memory does not grow with their number.
    """
    label: npt.NDArray[np.int64] = np.arange(count)
    pending: list[npt.NDArray[np.int64]] = []
    for part in pairs:
        pending.append(part)
        if sum(map(len, pending)) >= _PENDING:
            label, pending = _joined(label, pending), []
    label = _joined(label, pending)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return sorted((group for group in groups if len(group) > 1), key=lambda group: (-len(group), int(group[0])))


def links(rows: npt.NDArray[np.int64], nearest: Nearest, count: int, above: float) -> Iterator[npt.NDArray[np.int64]]:
    """Pairs [m, 2] of rows that search finds to be near: of each the nearest 32, and more where all these are near.

    ``count``: rows that there are in all.
    """
    left, k = rows, NEIGHBOURS
    while len(left):
        similarity, found = nearest(left, min(k + 1, count))
        near = (similarity >= above) & (found != left[:, None]) & (found >= 0)
        query, place = near.nonzero()
        yield np.stack([left[query], found[query, place]], axis=1)
        left = left[near.sum(axis=1) >= k] if k < MOST_NEIGHBOURS and k < count else left[:0]
        k *= 4


def _joined(label: npt.NDArray[np.int64], pairs: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Labels after links between rows."""
    if not pairs:
        return label
    count, links = len(label), label[np.concatenate(pairs)]
    graph = coo_matrix((np.ones(len(links), np.float32), (links[:, 0], links[:, 1])), shape=(count, count))
    found: npt.NDArray[np.int64] = connected_components(graph, directed=False)[1][label].astype(np.int64)
    return found
