"""Options of a component as they are typed."""

from __future__ import annotations

import pytest

import rankhub
from rankhub_use.options import read_options


def test_options_as_they_are_typed():
    words = ["a=3", "b=[1, 2.5, x]", "c={d: {e: 1}}", "c.d.e=2", "c.f=1e-3", "g=", "a=no"]
    assert read_options(words) == {"a": "no", "b": [1, 2.5, "x"], "c": {"d": {"e": 2}, "f": 0.001}, "g": None}
    assert read_options([]) == {}


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
        read_options([word])
