"""What several processes must agree on before their outputs are brought together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers import fakes
from helpers.training import parts_of, recipe

from rankhub.engine.wide import Gathering
from rankhub.interfaces.errors import UserError
from rankhub_points import Points


@dataclass(frozen=True)
class Pair:
    """Two processes, of which the other one has ``more`` views."""

    more: int
    count: int = 2
    rank: int = 0

    def gather(self, rows):
        return torch.cat([rows, rows + self.more])


def test_unequal_numbers_of_views_are_refused():
    feed = parts_of(recipe()).feeds["first", "views"]
    batch = feed.chain.on_device(feed.fetch(feed.in_epoch(0)), 0)
    assert fakes.Jitter().views == 2
    gathered = Gathering.of(batch, Pair(0))
    assert sorted(gathered.order.tolist()) == list(range(24))
    assert gathered.own.tolist() == list(range(12))
    with pytest.raises(UserError, match=r"unequal numbers of views \(12, 13\)"):
        Gathering.of(batch, Pair(1))


class Both:
    """One of two processes that hold the rows of a list each; gathers by name of what is asked for."""

    def __init__(self, rank, held):
        self.rank, self.count, self.held = rank, 2, held

    def gather(self, rows, even=False):
        (number,) = (number for number in range(len(self.held[0])) if self._is(number, rows))
        return torch.cat([part[number] for part in self.held])

    def _is(self, number, rows):
        mine = self.held[self.rank][number]
        return mine.shape == rows.shape and mine.dtype == rows.dtype and torch.equal(mine, rows)


def test_points_of_all_processes_come_in_one_order():
    def points(counts, seed):
        rng = np.random.default_rng(seed)
        sizes = torch.from_numpy(rng.integers(10, 99, (len(counts), 2)))
        map_ = torch.tensor([[[-0.5, 0, 8.0], [0, 0.25, 0]]]).repeat(len(counts), 1, 1)
        return Points.of([rng.random((n, 3)) * 9 for n in counts], sizes).moved(map_, sizes)

    both = [points((2, 0, 3), 1), points((1, 1, 4), 2)]

    def held(one):
        as_bytes = [getattr(one, name).to(torch.uint8) for name in ("inside", "flipped")]
        return [one.values, one.counts, one.extents, one.sizes, one.scales, *as_bytes]

    order = torch.tensor([3, 0, 4, 1, 5, 2])
    for rank in range(2):
        gathering = Gathering(Both(rank, [held(one) for one in both]), order, torch.tensor([1, 3, 5]))
        found = gathering._part(both[rank])
        wanted = Points.joined(both).rows(order)
        for name in Points.__slots__:
            assert torch.equal(getattr(found, name), getattr(wanted, name))
        assert len(found) == 6
