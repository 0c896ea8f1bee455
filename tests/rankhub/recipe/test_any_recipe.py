"""Whatever stands in a recipe, the answer is a recipe or sentences with places."""

from __future__ import annotations

import copy

from helpers import fakes
from helpers.recipes import load_text
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.reader import read_yaml, write_yaml
from rankhub.recipe.report import RecipeErrors

CATALOG = Catalog.of({"fakes": fakes})
FULL = read_yaml(
    fakes.RECIPE
    + """
average: {decay: {use: ramp, end: 0.9}, use_for: [teacher]}
callbacks: [{use: stopper}]
loader: {workers: 0}
""",
    "",
).data
FULL["data"]["more"] = {"like": "train", "count": 3}
FULL["phases"][0].update(clock="views", freeze=["backbone.*"], lr_scale={"heads.main": 0.5}, mix={"alternate": 2})
JUNK = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "x",
        "views",
        "pull",
        "9" * 5000,
        10**900,
        [],
        [1],
        {},
        {"x": 1},
        {"use": 3},
        {"use": "ramp"},
        [[]],
    ]
)


def addresses(data, steps=()):
    """Every place of the data, the top left out."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield (*steps, key)
        yield from addresses(value, (*steps, key))


ADDRESSES = sorted(addresses(FULL), key=str)


def changed(changes):
    """The full recipe with some places replaced, dropped (None as junk is a value of its own) or given a new key."""
    data = copy.deepcopy(FULL)
    for steps, how, junk in changes:
        parent = data
        try:
            for segment in steps[:-1]:
                parent = parent[segment]
            if how == "drop":
                del parent[steps[-1]]
            elif how == "add":
                parent[steps[-1]]["new"] = junk
            else:
                parent[steps[-1]] = copy.deepcopy(junk)
        except (KeyError, IndexError, TypeError):
            continue
    return data


CHANGES = st.lists(
    st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(["replace", "drop", "add"]), JUNK), min_size=1, max_size=3
)


def load(text):
    """The recipe, or the errors."""
    try:
        return load_text(text, [], CATALOG, file="f"), None
    except RecipeErrors as errors:
        return None, errors


@example(changes=[(("streams", "views", "objectives", 0, "head"), "replace", [])])
@given(CHANGES)
@settings(max_examples=60, deadline=None)
def test_a_recipe_or_sentences(changes):
    text = write_yaml(changed(changes))
    loaded, errors = load(text)
    if loaded is not None:
        assert load_text(loaded.resolved_text(), [], CATALOG).recipe == loaded.recipe
        return
    assert errors.problems
    assert len(str(errors).splitlines()) == len(errors.problems) + 2
    for problem in errors.problems:
        assert 1 <= problem.location.line <= text.count("\n") + 1
        assert problem.text


def test_the_recipe_they_start_from_is_right():
    load_text(write_yaml(FULL), [], CATALOG)
