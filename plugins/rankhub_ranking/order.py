"""How many comparable pairs of ranked views are in the right order, by kind and by levels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from rankhub.interfaces.order import RankTarget
from rankhub_ranking.pairs import ordered_pairs

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Level = tuple[float, ...]


@dataclass(slots=True)
class Tally:
    """Pairs and those in the right order; equal predictions count half.

    Attributes:
        pairs: All.
        right: In the right order.
    """

    pairs: int = 0
    right: float = 0.0

    @property
    def accuracy(self) -> float:
        """Share in the right order; NaN without pairs."""
        return self.right / self.pairs if self.pairs else float("nan")

    def add(self, right: Floats) -> None:
        """Count pairs: 1 each where right, 0.5 where equal, else 0."""
        self.pairs += len(right)
        self.right += float(right.sum())


@dataclass(slots=True)
class Order:
    """The pairs of one kind of change.

    Attributes:
        all: Every comparable pair.
        neighbours: Pairs of levels of a group that are next to each other: one step apart in a single column.
        by_level: The neighbours by the upper and the lower level.
        by_distance: All by how many steps of their group's levels they are apart, summed over columns.
    """

    all: Tally = field(default_factory=Tally)
    neighbours: Tally = field(default_factory=Tally)
    by_level: dict[tuple[Level, Level], Tally] = field(default_factory=dict)
    by_distance: dict[int, Tally] = field(default_factory=dict)


def orders(predicted: Floats, target: RankTarget) -> dict[int, Order]:
    """The comparable pairs of each kind that has any, sorted by kind (0 where the target knows none).

    Args:
        predicted: [N] finite.
        target: N views on the CPU.
    """
    kind = np.zeros(len(target), dtype=np.int64) if target.kind is None else target.kind.numpy()
    levels, place = torch.unique(target.level.reshape(len(target), -1), dim=0, return_inverse=True)
    names = [tuple(row) for row in levels.tolist()]
    steps = _steps(target)
    found: dict[int, Order] = {}
    for above, below in ordered_pairs(target.group, target.level):
        upper, lower = above.numpy(), below.numpy()
        ahead = predicted[upper] - predicted[lower]
        right = (ahead > 0) + 0.5 * (ahead == 0)
        apart = (steps[upper] - steps[lower]).sum(axis=1)
        next_to = apart == 1
        for number in np.unique(kind[upper]).tolist():
            own = kind[upper] == number
            order = found.setdefault(number, Order())
            order.all.add(right[own])
            for distance in np.unique(apart[own]).tolist():
                order.by_distance.setdefault(distance, Tally()).add(right[own & (apart == distance)])
            near = own & next_to
            order.neighbours.add(right[near])
            ends = np.stack([place.numpy()[upper[near]], place.numpy()[lower[near]]], axis=1)
            each, which = np.unique(ends, axis=0, return_inverse=True)
            pairs = np.bincount(which.reshape(-1), minlength=len(each))
            sums = np.bincount(which.reshape(-1), weights=right[near], minlength=len(each))
            for (first, second), count, total in zip(each.tolist(), pairs.tolist(), sums.tolist(), strict=True):
                tally = order.by_level.setdefault((names[first], names[second]), Tally())
                tally.pairs, tally.right = tally.pairs + count, tally.right + total
    return dict(sorted(found.items()))


def _steps(target: RankTarget) -> Ints:
    """[N, K] of each view and column: how many different levels of its group are below its own."""
    group, level = target.group.numpy(), target.level.reshape(len(target), -1).numpy()
    steps = np.empty(level.shape, dtype=np.int64)
    for column in range(level.shape[1]):
        order = np.lexsort((level[:, column], group))
        groups, values = group[order], level[order, column]
        begins = np.diff(groups, prepend=groups[:1] - 1) != 0
        rises = begins | (np.diff(values, prepend=values[:1]) != 0)
        rank = np.cumsum(rises)
        steps[order, column] = rank - rank[begins][np.cumsum(begins) - 1]
    return steps
