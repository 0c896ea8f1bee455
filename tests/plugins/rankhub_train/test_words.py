"""What people are told of a run."""

from __future__ import annotations

import io
import math

import pytest
from helpers import fakes
from helpers.training import catalog, parts_of, recipe

from rankhub import RunClosed, Talk
from rankhub.interfaces.evaluate import EvaluationResult
from rankhub_train.words import beaten, undefined


@pytest.mark.parametrize(("ours", "lower", "beats"), [(0.5, False, True), (0.3, False, False), (0.1, True, True)])
def test_training_that_does_not_help_is_said(ours, lower, beats):
    spread = fakes.Spread(data="test")
    spread.lower_is_better = frozenset({"spread"} if lower else ())
    rows = [(n, {"s": EvaluationResult({"spread": v})}) for n, v in [("pixels", 0.2), ("before", 0.3), ("after", ours)]]
    sentences = list(beaten(rows, {"s": spread}))
    assert (sentences == []) == beats
    if not beats:
        assert sentences == ["s spread: after (0.300) does not beat before (0.300)"]


def test_each_column_is_named_once_with_its_rows():
    table = [
        {"": "raw pixels", "a x": math.nan, "b y": 1.0},
        {"": "before training", "a x": 0.5, "b y": 2},
        {"": "after training", "a x": math.nan, "b y": -math.inf},
    ]
    assert undefined(table) == [
        "a x is no finite number (raw pixels, after training); that is never best",
        "b y is no finite number (after training); that is never best",
    ]
    assert undefined([{"": "after training", "a x": 0.0}]) == []


def test_a_run_without_evaluators_says_where_it_lies_and_what_to_do(tmp_path):
    parts, out = parts_of(recipe(next_steps=["look at it", "train longer"])), io.StringIO()
    closed = RunClosed(parts, [], [], tmp_path, False, [], None, ["tensorboard --logdir runs"])
    catalog().say(closed, Talk(out))
    assert out.getvalue().splitlines() == [
        f"Run folder: {tmp_path}",
        "See it with: tensorboard --logdir runs",
        "Try next: look at it",
        "          train longer",
    ]


def test_of_other_events_nothing_is_said():
    out = io.StringIO()
    catalog().say("an event that it does not know", Talk(out))
    assert out.getvalue() == ""
