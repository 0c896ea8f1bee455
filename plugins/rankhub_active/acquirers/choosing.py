"""From the outputs of a pool to how uncertain each candidate is, and which are chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub import UserError
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.evaluate import OutputTable
from rankhub_active.acquire import PoolSource, Rows
from rankhub_active.acquirers.centres import Coverage, Floats, greedy
from rankhub_ranking.embeddings import full_precision


def quoted(names: Iterable[str]) -> str:
    """Names for a sentence: 'a', 'b'."""
    return ", ".join(repr(name) for name in names)


def number_problem(output: str, numbers: Mapping[str, float]) -> str | None:
    """A sentence if ``output`` is not one number an image; None if it is."""
    if output in numbers:
        return None
    known = f"those that are: {quoted(numbers)}" if numbers else "this recipe has no such output"
    return f"output {output!r} is not one number an image; {known}"


def one_number(table: OutputTable, output: str) -> Floats:
    """[n] of a table [n] or [n, 1].

    Raises:
        UserError: There are more numbers a row, or some are not finite.
    """
    values = table.values
    if not isinstance(values, Tensor) or values.shape[1:] not in ((), (1,)):
        raise UserError(f"output {output!r} is more than one number a row; name the output of a head such as `score`")
    found: Floats = values.flatten().double().numpy()
    _check_finite(np.isfinite(found), output)
    return found


def embeddings(source: PoolSource, output: str, rows: Rows) -> Tensor:
    """[n, d] float32 on the CPU, one row an image.

    Raises:
        UserError: The output is a map, or some values are not finite.
    """
    if not len(rows):
        return torch.empty((0, 0))
    values = source.outputs(output, rows).values
    if not isinstance(values, Tensor):
        raise UserError(f"output {output!r} is a map, but distances need one vector an image, such as `backbone`")
    values = full_precision(values.reshape(len(values), -1))
    _check_finite(torch.isfinite(values).all(dim=1).numpy(), output)
    return values


def _check_finite(finite: npt.NDArray[np.bool_], output: str) -> None:
    bad = int((~finite).sum())
    if bad:
        raise UserError(
            f"{bad:,} of {len(finite):,} values of output {output!r} are not finite; the network's weights have "
            "diverged: lower the learning rate and train again"
        )


def chances(seed: int, rows: Rows) -> Floats:
    """[n] uniform in [0, 1), a pure function of the seed and the row: as images are labeled, the others keep theirs."""
    return Draws(seed, "acquire/random", 0).at(rows, 0).uniform("order")


def by_chance(source: PoolSource, candidates: Rows, count: int, share: float) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """The part of a choice of ``count`` that is drawn at random, before the rest is chosen from those that are left.

    Its number is ``share`` x ``count``, rounded, a half down: of five images and .5 two. They are those that `random`
    takes first, so a fair sample of all candidates.

    [k] rows; and [n] which of the candidates are left.
    """
    number = max(0, math.ceil(round(share * count, 9) - 0.5))
    drawn = candidates[np.argsort(-chances(source.seed, candidates), kind="stable")[:number]]
    return drawn, np.isin(candidates, drawn, invert=True)


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

    [count] rows in the order of choice. A later one of the ``keys`` [n], higher = more uncertain, decides where those
    before are equal; NaN comes last. Distances are taken between the vectors of ``embedding`` (cosine), which is not
    asked for without diversity.
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
    """[n] minus the number of the turn, from 0, in which a candidate is taken when strata of ``predicted`` take turns.

    The candidates are cut into parts of equal size (to within one) by their predictions; a turn takes the most
    uncertain one that is left of each part. So what is chosen is spread over the predictions as the candidates are.

    Equal predictions [n] stay in the order of the rows; ``keys`` are as for :func:`most_uncertain`.
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
    """[n] each row's rank in the order of ``keys``, 0 = least, 1 = most; equals share the mean of their ranks.

    A later key decides where those before are equal. NaN is least.
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
