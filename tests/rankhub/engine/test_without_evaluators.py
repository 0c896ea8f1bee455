"""A recipe's evaluators without those whose data are not there."""

from __future__ import annotations

import pytest
from helpers import fakes
from helpers.training import recipe

from rankhub.engine.data_overrides import without_evaluators

TWO = [{"use": "spread", "data": "test"}, {"use": "spread", "data": "train"}]


def plain(**changes):
    return recipe(fakes.RECIPE, evaluate=TWO, evaluate_every_epochs=1, **changes).model_dump(mode="json")


def test_those_that_name_an_absent_data_set_are_left_out_and_named():
    kept, best, left_out = without_evaluators(plain(), ["test"])
    assert ([spec["data"] for spec in kept], best, left_out) == (["train"], None, [("spread", "test")])
    assert without_evaluators(plain(), ["test", "train"])[0] == []
    assert without_evaluators(plain(), ["other"])[2] == []


@pytest.mark.parametrize(
    ("wanted", "absent", "best"),
    [
        ("spread.spread", "train", "spread.spread"),
        ("spread.spread", "test", None),
        ("spread_2", "test", "spread"),
        ("spread_2.spread", "other", "spread_2.spread"),
    ],
)
def test_keep_best_goes_with_its_evaluator(wanted, absent, best):
    assert without_evaluators(plain(keep_best=wanted), [absent])[1] == best
