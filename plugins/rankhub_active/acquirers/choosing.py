"""From how uncertain each candidate is to which are chosen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.acquire import PoolSource, Rows
from rankhub_active.acquirers.answers import Floats, embeddings
from rankhub_active.acquirers.centres import Coverage, greedy


def most_uncertain(
    source: PoolSource,
    labeled: Rows,
    candidates: Rows,
    count: int,
    keys: tuple[Floats, ...],
    diversity: float,
    embedding: str,
) -> Rows:
    """The candidates of largest uncertainty, or with ``diversity`` the greedy choice of uncertain and distant ones.

    The gain that is made largest is

        q + diversity * distance to the nearest labeled or chosen image / largest such distance at the start

    where q is the uncertainty's quantile among the candidates. Equals go to the lower row.

    Args:
        source: The pool.
        labeled: [l] rows.
        candidates: [n] rows, ascending.
        count: How many.
        keys: [n] each, higher = more uncertain; a later one decides where those before are equal. NaN comes last.
        diversity: At least 0.
        embedding: The output between whose vectors distances are taken (cosine); not asked for without diversity.

    Returns:
        [count] rows, in the order of choice.
    """
    values = quantiles(keys)
    if diversity == 0:
        return candidates[np.argsort(-values, kind="stable")[:count]]
    if not count:
        return candidates[:0]
    images, centres = embeddings(source, embedding, candidates), embeddings(source, embedding, labeled)
    coverage = Coverage(images, centres, "cosine", source.device)
    return candidates[greedy(values, coverage, diversity, count)]


def turns(predicted: Floats, keys: tuple[Floats, ...], strata: int) -> Floats:
    """[n] in which turn each candidate is taken if the strata of ``predicted`` take turns, minus: 0 = the first turn.

    The candidates are cut into parts of equal size (to within one) by their predictions; a turn takes the most
    uncertain one that is left of each part. So what is chosen is spread over the predictions as the candidates are.

    Args:
        predicted: [n]; equals stay in the order of the rows.
        keys: [n] each, as for :func:`most_uncertain`.
        strata: Parts, at least 1.
    """
    n = len(predicted)
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(predicted, kind="stable")] = np.arange(n)
    part = rank * strata // max(1, n)
    uncertain = quantiles(keys)
    order = np.lexsort((np.arange(n), -uncertain, part))
    begins = np.flatnonzero(np.diff(part[order], prepend=-1))
    sizes = np.diff(begins, append=n)
    turn = np.empty(n)
    turn[order] = np.arange(n) - np.repeat(begins, sizes)
    return -turn


def quantiles(keys: tuple[Floats, ...]) -> Floats:
    """[n] each row's place in the order of ``keys``, 0 = least, 1 = most; equals share the mean of their places.

    Args:
        keys: [n] each; a later one decides where those before are equal. NaN is least.
    """
    filled = [np.where(np.isnan(key), -np.inf, key) for key in keys]
    order: npt.NDArray[np.intp] = np.lexsort(filled[::-1])  # the last key is the first for lexsort
    n = len(order)
    begins = np.ones(n, dtype=bool)
    begins[1:] = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in filled])
    starts = np.flatnonzero(begins)
    sizes = np.diff(starts, append=n)
    found = np.empty(n)
    found[order] = np.repeat(starts + (sizes - 1) / 2, sizes) / max(1, n - 1)
    return found
