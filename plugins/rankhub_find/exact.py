"""Search and comparison whose result is that of comparing every row in float64, by the project's rule of equality.

faiss and numpy multiply in float32 and so find candidates; a bound of their error says whether one may be missing.
What is compared in the end are float64 inner products on the grid of :mod:`rankhub_ranking.similarity`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rankhub_find.kinds import Progress
from rankhub_find.structures import Floats, Ints, faiss
from rankhub_ranking.similarity import RESOLUTION, inner_products, rounded

_SLACK = 16
"""Candidates beyond those that are wanted."""

_MOST = 1024
"""Candidates of a query from which on all rows are compared in float64 instead."""

SIDE = 2048
"""Rows of a block of pairs."""

BLOCK = 2**22
"""Similarities that are held at a time."""

_CACHED = 2**17
"""Numbers that are gathered at a time."""


def error_of(dim: int) -> float:
    """Bound of the error of a float32 inner product of two unit vectors of ``dim`` columns, in any order of its sum."""
    return (dim + 8) * 2.0**-24


def similarities_of(queries: Floats, vectors: Floats, rows: Ints) -> npt.NDArray[np.float64]:
    """[q, m] rounded cosines of each query with its rows [q, m]; -inf where a row is -1."""
    out = rounded(torch.from_numpy(_products(queries, vectors, rows, np.float64))).numpy()
    out[rows < 0] = -np.inf
    return out


def best_of(queries: Floats, vectors: Floats, rows: Ints, k: int) -> tuple[npt.NDArray[np.float64], Ints]:
    """The k most similar of each query's candidates [q, m], as :func:`search` gives them.

    Of very many, float32 products choose some more than k, whose similarities are then taken exactly.
    """
    most = k + _SLACK
    if rows.shape[1] > 2 * most:
        near = _products(queries, vectors, rows, np.float32)
        near[rows < 0] = -np.inf
        rows = np.take_along_axis(rows, np.argpartition(-near, most, axis=1)[:, :most], 1)
    return ranked(similarities_of(queries, vectors, rows), rows, k)


def _products(queries: Floats, vectors: Floats, rows: Ints, kind: type[Any]) -> npt.NDArray[Any]:
    """[q, m] inner products, a few queries at a time, so that what is gathered stays in the processor's cache."""
    out = np.empty(rows.shape, kind)
    step = max(1, _CACHED // max(1, rows.shape[1] * vectors.shape[1]))
    for first in range(0, len(queries), step):
        part = slice(first, first + step)
        found = vectors.take(np.maximum(rows[part], 0), axis=0).astype(kind, copy=False)
        out[part] = np.einsum("qmd,qd->qm", found, queries[part].astype(kind, copy=False))
    return out


def ranked(similarity: npt.NDArray[np.float64], rows: Ints, k: int) -> tuple[npt.NDArray[np.float64], Ints]:
    """The first k by falling similarity, of equals the lower row; padded with -inf and row -1."""
    order = np.lexsort((rows, -similarity), axis=1)[:, :k]
    best, at = np.take_along_axis(similarity, order, 1), np.take_along_axis(rows, order, 1)
    if best.shape[1] < k:
        short = ((0, 0), (0, k - best.shape[1]))
        best, at = np.pad(best, short, constant_values=-np.inf), np.pad(at, short, constant_values=-1)
    return best, np.where(np.isneginf(best), -1, at)


def search(queries: Floats, vectors: Floats, k: int) -> tuple[npt.NDArray[np.float64], Ints]:
    """The k most similar rows of each query [q, d] among [n, d]: rounded cosines [q, k] and rows [q, k].

    Of equals the lower row comes first; where there are fewer than k rows, -inf and -1 follow.
    """
    lib, count = faiss(), len(vectors)
    out, at = np.full((len(queries), k), -np.inf), np.full((len(queries), k), -1, np.int64)
    if not count:
        return out, at
    left, wanted = np.arange(len(queries)), min(count, k + _SLACK)
    while len(left) and wanted <= max(_MOST, k + _SLACK):
        asked = np.ascontiguousarray(queries[left])
        near, rows = lib.knn(asked, vectors, wanted, metric=lib.METRIC_INNER_PRODUCT)
        best, found = ranked(similarities_of(asked, vectors, rows.astype(np.int64)), rows.astype(np.int64), k)
        # No row that was not fetched can reach the grid cell of the last one that is wanted.
        beyond = near[:, -1].astype(np.float64) + error_of(vectors.shape[1]) + RESOLUTION / 2
        done = (beyond < best[:, min(k, count) - 1]) | (wanted == count)
        out[left[done]], at[left[done]] = best[done], found[done]
        left, wanted = left[~done], min(count, 4 * wanted)
    for query in left.tolist():
        out[query], at[query] = _by_all(queries[query], vectors, k)
    return out, at


def _by_all(query: Floats, vectors: Floats, k: int) -> tuple[npt.NDArray[np.float64], Ints]:
    """The same of one query, where very many rows are as similar as the last one."""
    parts = [np.empty(0)]
    step = max(1, BLOCK // vectors.shape[1])
    for first in range(0, len(vectors), step):
        found = inner_products(torch.from_numpy(query[None]), torch.from_numpy(np.array(vectors[first : first + step])))
        parts.append(rounded(found[0]).numpy())
    best, rows = ranked(np.concatenate(parts)[None], np.arange(len(vectors))[None], k)
    return best[0], rows[0]


def pairs_above(vectors: Floats, above: float, progress: Progress) -> Iterator[Ints]:
    """All pairs of rows whose rounded cosine is at least ``above``, in parts [m, 2], the lower row first."""
    count = len(vectors)
    side = max(1, min(count, SIDE))
    for first in range(0, count, side):
        own = np.array(vectors[first : first + side])
        for second in range(first, count, side):
            near = pairs_between(own, np.array(vectors[second : second + side]), above)
            yield near[near[:, 0] + first < near[:, 1] + second] + np.array([first, second])
        progress(min(first + side, count), count, "compare")


def pairs_between(own: Floats, others: Floats, above: float) -> Ints:
    """[m, 2] a row of ``own`` and one of ``others`` whose rounded cosine is at least ``above``."""
    near = np.argwhere(own @ others.T >= above - error_of(own.shape[1]) - RESOLUTION)
    return near[_paired(own, others, near) >= above]


def _paired(own: Floats, others: Floats, pairs: Ints) -> npt.NDArray[np.float64]:
    out = np.empty(len(pairs))
    step = max(1, BLOCK // own.shape[1])
    for first in range(0, len(pairs), step):
        part = pairs[first : first + step]
        left, right = own[part[:, 0]].astype(np.float64), others[part[:, 1]].astype(np.float64)
        out[first : first + step] = np.einsum("nd,nd->n", left, right)
    return rounded(torch.from_numpy(out)).numpy()
