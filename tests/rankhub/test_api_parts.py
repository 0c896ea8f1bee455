"""What plugins' verbs use of the public API: views of an image."""

from __future__ import annotations

import pytest
import torch
from helpers import fakes

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub.engine.feed import Chain, collate, first_view
from rankhub.interfaces.data import LabelSpec, Sample
from rankhub.interfaces.generator import ViewSpec

CATALOG = Catalog.of({"fakes": fakes})
IMAGE = torch.arange(3 * 4 * 5, dtype=torch.uint8).reshape(3, 4, 5)


def test_views_are_those_of_a_stream():
    steps = [fakes.Dimmer(levels=3), fakes.Jitter(views=2)]
    before = IMAGE.clone()
    batch, spec = rankhub.make_views(steps, IMAGE, seed=7)
    chain = Chain(steps, spec, 7, "show")
    views = chain.in_worker([first_view(Sample(IMAGE, 0))], 0)
    expected = chain.on_device(collate(views, spec.groups, LabelSpec()), 0)
    assert spec == ViewSpec(6, 1, "ordered", ((6, None),))
    assert len(batch) == 6
    assert torch.equal(batch.images[0], expected.images[0])
    assert torch.equal(batch.target.level, expected.target.level)
    assert batch.images[0].min() >= 0
    assert batch.images[0].max() <= 1
    assert not torch.equal(rankhub.make_views(steps, IMAGE, seed=8)[0].images[0], batch.images[0])
    assert torch.equal(IMAGE, before)


def test_steps_that_do_not_fit():
    with pytest.raises(rankhub.UserError, match="steps on original pixels come before the steps on the device"):
        rankhub.make_views([fakes.Jitter(), fakes.Dimmer()], IMAGE)
