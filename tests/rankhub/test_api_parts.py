"""What plugins' verbs use of the public API: classes of components, options as they are typed, views of an image."""

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


def test_options_as_they_are_typed():
    words = ["a=3", "b=[1, 2.5, x]", "c={d: {e: 1}}", "c.d.e=2", "c.f=1e-3", "g=", "a=no"]
    assert rankhub.read_options(words) == {"a": "no", "b": [1, 2.5, "x"], "c": {"d": {"e": 2}, "f": 0.001}, "g": None}
    assert rankhub.read_options([]) == {}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("a", r"the option 'a' has no value; write a=VALUE"),
        ("a=[1", r"the option 'a=\[1' cannot be used: the value "),
        ("a.b=1", r"is a part of 'a', which is not given; write a=\{b: 1\}"),
        ("use=x", r"`use` is no option: it names the component that has them"),
    ],
)
def test_options_that_cannot_be_used(word, sentence):
    with pytest.raises(rankhub.UserError, match=sentence):
        rankhub.read_options([word])


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
