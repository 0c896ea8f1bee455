"""A stream from a table: batches by rows, also in workers, which are spawned whatever the recipe says."""

from __future__ import annotations

import pytest
import torch
from helpers import fakes

from rankhub.engine.feed import Chain, Feed
from rankhub.recipe.assembly import plan_chain
from rankhub.recipe.schema import Loader

pytest.importorskip("lance")


def feed(dataset, steps, **loader):
    chain = Chain(steps, plan_chain(steps), 0, "views")
    return Feed(dataset, chain, 4, Loader(**loader), block=8)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("steps", [[], [fakes.Dimmer()]])
def test_the_batches_are_those_of_the_folder(photos, packed, opened, workers, steps):
    ours = opened(use="lance", uri=str(packed), labels="class")
    theirs = opened(use="image_folder", root=str(photos), labels="folder")
    ours.batch([0])  # its threads run: a fork would not take them along
    mine, other = feed(ours, steps, workers=workers).batches(0, 3), feed(theirs, steps).batches(0, 3)
    for (at, one), (there, two) in zip(mine, other, strict=True):
        assert at == there
        assert torch.equal(one.images[0], two.images[0])
        assert torch.equal(one.target.label, two.target.label)
