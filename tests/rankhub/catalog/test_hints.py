"""Type hints in words, the way down into them, and their marks."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval, Len
from pydantic import BaseModel, Field

from rankhub.catalog.hints import dotted, step, walk, words
from rankhub.catalog.nearest import nearest, suggestion
from rankhub.catalog.options import recipe_hint
from rankhub.catalog.spec import ComponentSpec, Uses
from rankhub.interfaces.options import DataName, Ge, Gt, Le, Lt, OutputName, Refers, Scheduled, StreamName


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    name: DataName
    size: int = 1


class Tree(BaseModel):
    leaf: Leaf
    leaves: list[Leaf] = []
    named: dict[str, Leaf] = {}
    maybe: Leaf | Literal["none"] | None = None
    loss: Annotated[ComponentSpec, Uses("loss")]
    free: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (float, "a number"),
        (Annotated[float, Gt(0)], "a number above 0"),
        (Annotated[float, Ge(0), Lt(1)], "a number of at least 0 and below 1"),
        (Annotated[float, Interval(gt=0, le=1)], "a number above 0 and at most 1"),
        (Annotated[int, Field(ge=1)] | None, "a whole number of at least 1 or null"),
        (bool, "true or false"),
        (str | None, "text or null"),
        (Path, "a path"),
        (Literal["mean", "sum"], "one of mean, sum"),
        (Literal["all"] | Annotated[int, Le(3)], "all or a whole number of at most 3"),
        (Literal[True, None], "one of true, null"),
        (Colour, "one of red, blue"),
        (list[int], "a list, each a whole number"),
        (Annotated[list[int], Len(1, 3)], "a list of at least 1 and at most 3, each a whole number"),
        (tuple[float, float], "a list of 2: each a number"),
        (tuple[int, str], "a list of 2: a whole number, text"),
        (tuple[int, ...], "a list, each a whole number"),
        (dict[str, float], "a mapping from names to a number"),
        (Annotated[dict[str, Leaf], Field(min_length=1)], "a mapping of at least 1"),
        (Leaf, "a mapping with the keys name, size"),
        (DataName, "the name of an entry under `data:`"),
        (StreamName | None, "the name of a stream or null"),
        (OutputName, "an output: `backbone` or HEAD.OUTPUT"),
        (Annotated[ComponentSpec, Uses("evaluator")], "an evaluator, {use: NAME, ...}"),
        (recipe_hint(Annotated[Scheduled, Gt(0)]), "a number above 0 or a schedule, {use: NAME, ...}"),
        (recipe_hint(Scheduled | None), "a number, a schedule, {use: NAME, ...} or null"),
    ],
)
def test_words(hint, text):
    assert words(hint) == text


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (("leaf", "size"), int),
        (("leaves", 3, "size"), int),
        (("named", "any", "size"), int),
        (("maybe", "size"), int),
        (("free", "x", "y", 3), Any),
        (("loss", "option"), Any),
        (("nothing",), None),
        (("leaf", "nothing"), None),
        (("leaves", "key"), None),
        (("leaf", "size", 0), None),
    ],
)
def test_step_goes_down(steps, found):
    hint = Tree
    for segment in steps:
        hint = None if hint is None else step(hint, segment)
    assert hint is found


def test_walk_finds_marks_in_plain_data():
    data = {
        "leaf": {"name": "a"},
        "leaves": [{"name": "b"}, {"name": "c", "more": 3}, "no mapping"],
        "named": {"x": {"name": "d"}},
        "maybe": {"name": "e"},
        "loss": {"use": "l"},
        "unknown": {"name": "f"},
    }
    spots = list(walk(Tree, data))
    assert [(dotted(s.steps), s.value) for s in spots if isinstance(s.mark, Refers)] == [
        ("leaf.name", "a"),
        ("leaves.0.name", "b"),
        ("leaves.1.name", "c"),
        ("named.x.name", "d"),
        ("maybe.name", "e"),
    ]
    assert [dotted(s.steps) for s in spots if isinstance(s.mark, Uses)] == ["loss"]


def test_walk_looks_only_into_the_member_of_a_union_that_fits():
    hint = recipe_hint(Scheduled)
    assert list(walk(hint, 0.1)) == []
    assert [spot.mark for spot in walk(hint, {"use": "cosine"})] == [Uses("schedule")]


@pytest.mark.parametrize(
    ("word", "names", "text"),
    [
        ("epoch", ["epochs", "steps"], "; did you mean 'epochs'?"),
        ("EPOCHS", ["epochs"], "; did you mean 'epochs'?"),
        ("x", ["epochs", "steps"], "; expected one of epochs, steps"),
        ("x", ["epochs"], "; expected epochs"),
        ("x", [], ""),
        (
            "x",
            [f"n{i:02}" for i in range(14)],
            "; expected one of " + ", ".join(f"n{i:02}" for i in range(12)) + " and 2 more",
        ),
    ],
)
def test_suggestion(word, names, text):
    assert suggestion(word, names) == text


def test_nearest_keeps_the_case_of_the_valid_name():
    assert nearest("smooth_aq", ["Smooth_AP"]) == "Smooth_AP"
    assert nearest("zzz", ["Smooth_AP"]) is None
