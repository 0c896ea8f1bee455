"""What of a recipe the pool stands in for."""

from __future__ import annotations

import pytest
from helpers.labeling import COUNTED, SCORED, VIEWS, photos

from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.recipe.load import load_text
from rankhub_active.labeling.settings import Settings
from rankhub_active.labeling.stand_ins import find_stand_ins, overrides, takes_of, without_evaluators


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


@pytest.fixture(scope="module")
def recipes(catalog):
    return {name: load_text(text, [], catalog).recipe for name, text in NAMED.items()}


SECOND = """
  - name: more
    steps: 1
    streams:
      labeled:
        data: other
        batch_size: 4
        generator: [{use: random_crops, size: 24}]
        objectives: [{head: score, loss: {use: mse}}]
"""
SEVERAL = SCORED.replace("predict:", SECOND.replace("\n  ", "\n") + "predict:", 1).replace(
    "  test: {", "  other: {like: labeled, root: elsewhere}\n  test: {"
)
TWO_TESTS = SCORED.replace("  test: {", "  test2: {like: labeled, part: held_out, seed: 1}\n  test: {").replace(
    "- {use: quality, data: test}", "- {use: quality, data: test}\n- {use: quality, data: test2}"
)
NAMED = {"scored": SCORED, "counted": COUNTED, "views": VIEWS, "several": SEVERAL, "two_tests": TWO_TESTS}


def found(recipe, catalog, labeled=None, unlabeled=None, test=None, tests=0):
    return find_stand_ins(recipe, catalog, labeled=labeled, unlabeled=unlabeled, test=test, tests=tests)


def test_what_can_be_told_is_told(recipes, catalog):
    scores = found(recipes["scored"], catalog, tests=3)
    assert (scores.labeled, scores.unlabeled, scores.test, scores.absent) == ("labeled", "pristine", "test", ())
    assert (scores.label.kind, scores.label.higher_is_better, scores.label.range) == ("score", False, (0.0, 100.0))
    counts = found(recipes["counted"], catalog, tests=3)
    assert (counts.labeled, counts.unlabeled, counts.test) == ("labeled", "unlabeled", "test")
    assert counts.label.kind == "points"
    views = found(recipes["views"], catalog)
    assert (views.labeled, views.unlabeled, views.test, views.label.kind) == (None, "photos", None, None)


def test_without_test_images_the_recipes_own_test_set_is_absent(recipes, catalog):
    assert found(recipes["scored"], catalog).absent == ("test",)
    assert found(recipes["two_tests"], catalog, test="test", tests=2).absent == ("test2",)


def test_images_without_labels_that_are_there_stay_the_recipes_own(catalog, tmp_path):
    photos(tmp_path / "own", 2)
    recipe = load_text(SCORED, [f"data.pristine.root={tmp_path / 'own'}"], catalog).recipe
    assert found(recipe, catalog).unlabeled is None
    assert found(recipe, catalog, unlabeled="pristine").unlabeled == "pristine"


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
def test_what_cannot_be_is_a_sentence(recipes, catalog, name, wanted, sentence):
    with pytest.raises(UserError, match=sentence):
        found(recipes[name], catalog, **wanted)


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


def test_a_recipe_reads_the_pool_by_the_overrides(catalog, tmp_path):
    images = f"{tmp_path}/a = b: é, {{x}} \U0001f600"
    settings = Settings(images=images, takes="score", low=1, high=5, higher_is_better=False, unit="MOS", **NAMES)
    recipe = load_text(SCORED, overrides(settings, catalog, tmp_path, test=True), catalog).recipe
    labeled, test, pristine = (recipe.data[name].options for name in ("labeled", "test", "pristine"))
    assert labeled["root"] == test["root"] == pristine["root"] == images
    assert (labeled["table"], test["table"]) == (str(tmp_path / "labels.csv"), str(tmp_path / "test.csv"))
    assert pristine["listed"] == str(tmp_path / "pool.csv")
    for each in (labeled, test):
        assert (each["part"], each["unit"], each["higher_is_better"]) == ("all", "MOS", False)
        assert tuple(each["range"]) == (1, 5)
    assert len(overrides(settings, catalog, tmp_path, test=False)) == 2


def test_points_and_scores_without_a_range(catalog, tmp_path):
    points = Settings(images=str(tmp_path), takes="points", unit="beans", labeled="labeled", test="test")
    recipe = load_text(COUNTED, overrides(points, catalog, tmp_path, test=True), catalog).recipe
    assert recipe.data["labeled"].options["annotations"] == str(tmp_path / "labels.csv")
    assert recipe.data["test"].options["annotations"] == str(tmp_path / "test.csv")
    assert recipe.data["labeled"].options["unit"] == "beans"
    bare = Settings(images=str(tmp_path), takes="count", low=1, labeled="labeled")
    assert "range" not in overrides(bare, catalog, tmp_path, test=True)[0]
    assert overrides(Settings(images="x", takes="score"), catalog, tmp_path, test=True) == []


def test_evaluators_that_name_an_absent_data_set_are_left_out(recipes):
    kept, _ = without_evaluators(recipes["counted"], ["test"])
    assert kept == []
    kept, best = without_evaluators(recipes["two_tests"], ["test"])
    assert ([spec["data"] for spec in kept], best) == (["test2"], None)


@pytest.mark.parametrize(
    ("wanted", "absent", "best"),
    [
        ("quality.srocc", "test2", "quality.srocc"),
        ("quality.srocc", "test", None),
        ("quality 2", "test", "quality"),
        ("quality 2.srocc", "pristine", "quality 2.srocc"),
    ],
)
def test_keep_best_goes_with_its_evaluator(catalog, wanted, absent, best):
    recipe = load_text(TWO_TESTS, ["evaluate_every_epochs=1", f"keep_best={wanted}"], catalog).recipe
    assert without_evaluators(recipe, [absent])[1] == best
