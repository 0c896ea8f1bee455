"""What a ranking with ties is worth: the mean over all orders of the equals.

A collapsed network gives every image the same similarity. Any fixed way of ordering equals would then measure the order
of the files; the mean over all orders gives chance instead. It has a closed form (McSherry and Najork: Computing
information retrieval performance measures efficiently in the presence of tied scores, ECIR 2008).

A ranking is handed over as sorted integer keys, one row a query: the similarity as :mod:`rankhub_ranking.similarity`
rounds it, and in the lowest bit whether the item is relevant. Items of one grid cell are equals.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub_ranking.similarity import RESOLUTION
from rankhub_ranking.sums import fixed_point

LAST = 2**31 - 2
"""The key of an item that is not ranked: behind all others, and not relevant."""


def ranking_keys(similarity: Tensor, relevant: Tensor) -> Tensor:
    """[m, n] int32 that order items by falling similarity, relevant ones behind their equals; not sorted yet.

    ``similarity`` comes from :func:`~rankhub_ranking.similarity.similarities` and is overwritten.
    """
    return similarity.mul_(-1 / RESOLUTION).round_().int().mul_(2).add_(relevant)


class Rankings:
    """Sorted keys of m queries, and the expectations of the usual measures over all orders of equals.

    Args:
        keys: [m, n] int32 in ascending order, from :func:`ranking_keys`; at least one item of each row is relevant.
    """

    def __init__(self, keys: Tensor) -> None:
        self.queries, self.length = keys.shape
        flat = keys.flatten()
        positions = (flat & 1).nonzero().squeeze(1)  # of relevant items: the others only matter by their number
        query = positions // max(1, self.length)
        self.relevant = torch.bincount(query, minlength=self.queries)
        cell = flat[positions]
        first = torch.ones_like(positions, dtype=torch.bool)
        first[1:] = (cell[1:] != cell[:-1]) | (query[1:] != query[:-1])
        heads = first.nonzero().squeeze(1)
        inside = torch.diff(heads, append=heads.new_tensor([len(positions)]))
        self._query = query[heads]
        begin = self._query * self.length
        # The relevant items stand at the end of their cell; where it starts has to be looked for.
        starts = _first_at_least(flat, cell[heads] - 1, begin, positions[heads])
        self._above = starts - begin  # items ranked above the cell
        self._size = positions[heads] + inside - starts
        earlier = self.relevant.cumsum(0) - self.relevant  # relevant items of the queries before
        self._before = (heads - earlier[self._query]).double()  # relevant items above the cell
        self._inside = inside.double()

    def average_precision(self, k: int | None = None) -> Tensor:
        """[m] float64: Σ over relevant ranks (at most k) of the precision there, over min(k, number relevant).

        Within a cell of t items, r of them relevant, c items and p relevant ones above it, the item at position i is
        relevant with probability r / t, and then p + 1 + (i - 1)(r - 1) / (t - 1) relevant ones stand at or above it.
        """
        depth = self.length if k is None else k
        counted = (depth - self._above).clamp(min=0).minimum(self._size)
        harmonic = (
            torch.arange(1, self.length + 1, dtype=torch.float64, device=self._size.device).reciprocal().cumsum(0)
        )
        harmonic = torch.cat([harmonic.new_zeros(1), harmonic])
        inverse = harmonic[self._above + counted] - harmonic[self._above]  # Σ 1 / (c + i)
        share = self._inside / self._size
        slope = (self._inside - 1) / (self._size - 1).clamp(min=1)
        gained = share * ((self._before + 1) * inverse + slope * (counted - (self._above + 1) * inverse))
        whole, step = fixed_point(gained, self.length)  # a GPU adds in any order
        total = whole.new_zeros(self.queries).index_add_(0, self._query, whole)
        return total.double() * step / self.relevant.clamp(max=depth)

    def recall(self, k: int) -> Tensor:
        """[m] float64: the probability that a relevant item is among the first k."""
        missed = torch.ones(self.queries, dtype=torch.float64, device=self._size.device)
        # Only the highest cell with something relevant decides: if it lies within the first k, nothing is missed.
        top = torch.ones_like(self._query, dtype=torch.bool)
        top[1:] = self._query[1:] != self._query[:-1]
        query, size, inside = self._query[top], self._size[top], self._inside[top]
        drawn = (k - self._above[top]).clamp(min=0).minimum(size)
        # None of r relevant among s drawn from t: Π_{i<s} (t - r - i) / (t - i). Divisions and products are rounded
        # alike wherever a number stands; logarithms of factorials need not be.
        none = torch.ones_like(inside)
        for step in range(int(drawn.max()) if len(drawn) else 0):
            share = (size - inside - step).clamp(min=0) / (size - step).clamp(min=1)
            none *= share.where(step < drawn, 1.0)
        missed[query] = none
        return 1 - missed


def chance_average_precision(relevant: Tensor, length: int) -> Tensor:
    """[m] float64: the average precision of a random order of ``length`` items, of which [m] are relevant."""
    harmonic = torch.arange(1, length + 1, dtype=torch.float64, device=relevant.device).reciprocal().sum()
    return (harmonic + (relevant.double() - 1) / max(1, length - 1) * (length - harmonic)) / length


def _first_at_least(values: Tensor, bound: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The first i in [low, high] with values[i] >= bound, where values ascend and values[high] >= bound."""
    found = high.clone()
    open_ = ((high > low) & (values[(high - 1).clamp(min=0)] >= bound)).nonzero().squeeze(1)  # few, as a rule
    bound, low, high = bound[open_], low[open_], high[open_]
    while bool((low < high).any()):
        middle = (low + high) // 2
        below = values[middle] < bound
        low, high = torch.where(below, middle + 1, low), torch.where(below, high, middle)
    found[open_] = low
    return found
