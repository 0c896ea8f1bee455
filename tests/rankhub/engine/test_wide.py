"""What several processes must agree on before their outputs are brought together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from helpers import fakes
from helpers.training import parts_of, recipe

from rankhub.engine.wide import Gathering
from rankhub.interfaces.errors import UserError


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
    batch = feed.chain.on_device(feed.fetch(feed.place(0)), 0)
    assert fakes.Jitter().views == 2
    gathered = Gathering.of(batch, Pair(0))
    assert sorted(gathered.order.tolist()) == list(range(24))
    assert gathered.own.tolist() == list(range(12))
    with pytest.raises(UserError, match=r"unequal numbers of views \(12, 13\)"):
        Gathering.of(batch, Pair(1))
