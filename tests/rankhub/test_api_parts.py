"""What plugins' verbs use of the public API: views of an image."""

from __future__ import annotations

import pytest
import torch
from helpers import fakes

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub.engine.feed import collate, first_view
from rankhub.interfaces.data import LabelSpec, Sample
from rankhub.interfaces.generator import ViewSpec
from rankhub.recipe.assembly import plan_chain

CATALOG = Catalog.of({"fakes": fakes})
IMAGE = torch.arange(3 * 4 * 5, dtype=torch.uint8).reshape(3, 4, 5)


def views_of(chain):
    return chain.on_device(chain.batch([Sample(IMAGE, 0)], 0, LabelSpec()), 0)


def test_views_are_those_of_a_stream():
    steps = [fakes.Dimmer(levels=3), fakes.Jitter(views=2)]
    before = IMAGE.clone()
    spec = plan_chain(steps)
    chain = rankhub.Chain(steps, spec, 7, "show")
    batch = views_of(chain)
    views = chain.in_worker([first_view(Sample(IMAGE, 0))], 0)
    expected = chain.on_device(collate(views, spec.groups, LabelSpec()), 0)
    assert spec == ViewSpec(6, 1, "ordered", ((6, None),))
    assert len(batch) == 6
    assert torch.equal(batch.images[0], expected.images[0])
    assert torch.equal(batch.target.level, expected.target.level)
    assert batch.images[0].min() >= 0
    assert batch.images[0].max() <= 1
    assert not torch.equal(views_of(chain.drawn("other")).images[0], batch.images[0])
    assert torch.equal(IMAGE, before)


def test_steps_that_do_not_fit():
    with pytest.raises(rankhub.UserError, match="steps on original pixels come before the steps on the device"):
        plan_chain([fakes.Jitter(), fakes.Dimmer()])
