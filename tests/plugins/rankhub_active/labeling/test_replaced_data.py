"""What of a recipe the pool stands in for."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.labeling import COUNTED, SCORED, VIEWS, photos

import rankhub
from rankhub import UserError
from rankhub.interfaces.data import LabelSpec
from rankhub_active.labeling.replaced_data import find_replaced_data, overrides, takes_of
from rankhub_active.labeling.settings import LabelingOptions, Settings


@pytest.fixture(scope="module")
def recipes():
    return {name: rankhub.load_recipe(text) for name, text in NAMED.items()}


SEVERAL = SCORED.replace("\nsteps:", "  more: {like: labeled, data: other}\n\nsteps:").replace(
    "  test: {", "  other: {like: labeled, root: elsewhere}\n  test: {"
)
TWO_TESTS = SCORED.replace("  test: {", "  test2: {like: labeled, part: held_out, seed: 1}\n  test: {").replace(
    "- {use: quality, data: test}", "- {use: quality, data: test}\n- {use: quality, data: test2}"
)
NAMED = {"scored": SCORED, "counted": COUNTED, "views": VIEWS, "several": SEVERAL, "two_tests": TWO_TESTS}


def found(recipe, labeled=None, unlabeled=None, test=None, tests=0):
    return find_replaced_data(
        recipe, LabelingOptions(Path("images"), tests, labeled=labeled, unlabeled=unlabeled, test_data=test)
    )


def test_what_can_be_told_is_told(recipes):
    scores = found(recipes["scored"], tests=3)
    assert (scores.labeled, scores.unlabeled, scores.test, scores.absent) == ("labeled", "pristine", "test", ())
    assert (scores.label.kind, scores.label.higher_is_better, scores.label.range) == ("score", False, (0.0, 100.0))
    counts = found(recipes["counted"], tests=3)
    assert (counts.labeled, counts.unlabeled, counts.test) == ("labeled", "unlabeled", "test")
    assert counts.label.kind == "points"
    views = found(recipes["views"])
    assert (views.labeled, views.unlabeled, views.test, views.label.kind) == (None, "photos", None, None)


def test_without_test_images_the_recipes_own_test_set_is_absent(recipes):
    assert found(recipes["scored"]).absent == ("test",)
    assert found(recipes["two_tests"], test="test", tests=2).absent == ("test2",)


def test_images_without_labels_that_are_there_stay_the_recipes_own(tmp_path):
    photos(tmp_path / "own", 2)
    recipe = rankhub.load_recipe(SCORED, {"data.pristine.root": str(tmp_path / "own")})
    assert found(recipe).unlabeled is None
    assert found(recipe, unlabeled="pristine").unlabeled == "pristine"


@pytest.mark.parametrize(
    ("name", "wanted", "sentence"),
    [
        (
            "scored",
            {"labeled": "labelled"},
            "--labeled labelled: the recipe uses no data set of that name; it uses lab",
        ),
        ("scored", {"unlabeled": "x"}, "--unlabeled x: the recipe uses no data set"),
        ("scored", {"test": "x", "tests": 1}, "--test-data x: the recipe uses no data set"),
        ("several", {}, "learns from several labeled data sets; name one: --labeled labeled or other"),
        ("several", {"labeled": "other"}, r"data\.labeled: there is no folder .*nowhere"),
        ("two_tests", {"tests": 2}, "--test 2: which data set .* name it: --test-data test or test2"),
        ("views", {"tests": 2}, "it judges on none with labels; leave it out"),
        ("scored", {"test": "labeled", "tests": 1}, "--test-data labeled: the recipe learns from it"),
        ("scored", {"test": "pristine", "tests": 1}, "--test-data pristine: the recipe learns from it"),
        ("scored", {"test": "test"}, "--test-data test: there are no test images .* --test NUMBER"),
        ("scored", {"unlabeled": "labeled"}, "--unlabeled labeled: the labels of the pool stand in for it already"),
    ],
)
def test_what_cannot_be_is_a_sentence(recipes, name, wanted, sentence):
    with pytest.raises(UserError, match=sentence):
        found(recipes[name], **wanted)


@pytest.mark.parametrize(
    ("kind", "wanted", "takes"),
    [
        ("points", None, "points"),
        ("score", None, "score"),
        ("score", "count", "count"),
        (None, "points", "points"),
        ("class", "score", "score"),
    ],
)
def test_what_people_are_asked_for(kind, wanted, takes):
    assert takes_of(LabelSpec(kind), wanted) == takes


@pytest.mark.parametrize(
    ("kind", "wanted", "sentence"),
    [
        ("points", "score", "--takes score: the recipe learns from points"),
        ("score", "points", "--takes points: the recipe learns from score or count"),
        (None, None, "learns from no scores or points; say what is asked of people: --takes score"),
    ],
)
def test_what_people_cannot_be_asked_for(kind, wanted, sentence):
    with pytest.raises(UserError, match=sentence):
        takes_of(LabelSpec(kind), wanted)


NAMES = {"labeled": "labeled", "unlabeled": "pristine", "test": "test"}


def test_a_recipe_reads_the_pool_by_the_overrides(recipes, tmp_path):
    images = f"{tmp_path}/a = b: é, {{x}} \U0001f600"
    settings = Settings(images=images, takes="score", low=1, high=5, higher_is_better=False, unit="MOS", **NAMES)
    recipe = rankhub.load_recipe(SCORED, overrides(settings, recipes["scored"], tmp_path, test=True)).recipe
    labeled, test, pristine = (recipe.data[name].options for name in ("labeled", "test", "pristine"))
    assert labeled["root"] == test["root"] == pristine["root"] == images
    assert (labeled["table"], test["table"]) == (str(tmp_path / "labels.csv"), str(tmp_path / "test.csv"))
    assert pristine["listed"] == str(tmp_path / "pool.csv")
    for each in (labeled, test):
        assert (each["part"], each["unit"], each["higher_is_better"]) == ("all", "MOS", False)
        assert tuple(each["range"]) == (1, 5)
    assert len(overrides(settings, recipes["scored"], tmp_path, test=False)) == 2


def test_points_and_scores_without_a_range(recipes, tmp_path):
    points = Settings(images=str(tmp_path), takes="points", unit="beans", labeled="labeled", test="test")
    recipe = rankhub.load_recipe(COUNTED, overrides(points, recipes["counted"], tmp_path, test=True)).recipe
    assert recipe.data["labeled"].options["annotations"] == str(tmp_path / "labels.csv")
    assert recipe.data["test"].options["annotations"] == str(tmp_path / "test.csv")
    assert recipe.data["labeled"].options["unit"] == "beans"
    bare = Settings(images=str(tmp_path), takes="count", low=1, labeled="labeled")
    assert "range" not in overrides(bare, recipes["counted"], tmp_path, test=True)[0]
    assert overrides(Settings(images="x", takes="score"), recipes["scored"], tmp_path, test=True) == []
