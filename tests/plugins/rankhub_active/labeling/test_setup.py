"""Setting up a folder of labeling."""

from __future__ import annotations

import pytest
from helpers.labeling import COUNTED, SCORED, VIEWS, photos

import rankhub
from rankhub import UserError
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import RECIPE, LabelingOptions
from rankhub_active.labeling.setup import open_images, pool_recipe, set_up

QUIET = lambda done, total, what: None  # noqa: E731


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("setup") / "images", 12)


@pytest.fixture
def make(images, tmp_path):
    """Sets up tmp_path/labeling with a recipe and wishes."""

    def setting_up(text=SCORED, folder="labeling", changes=(), **wishes):
        wanted = LabelingOptions(**{"images": images, **wishes})
        return set_up(tmp_path / folder, rankhub.load_recipe(text, changes), wanted, QUIET)

    return setting_up


def test_scores_keep_their_scale_and_the_way_they_run(make, images, tmp_path):
    made = make()
    settings = made.pool.settings
    assert settings.images == str(images)
    assert (settings.takes, settings.low, settings.high) == ("score", 0, 100)
    assert (settings.higher_is_better, settings.unit) == (False, "DMOS")
    assert (settings.labeled, settings.unlabeled, settings.test) == ("labeled", "pristine", None)
    assert made.pool.counts() == {("pool", "unlabeled"): 12}
    assert list(made.pool.ids())[:2] == ["01.png", "02.png"]
    assert Pool(tmp_path / "labeling").settings == settings
    recipe = pool_recipe(tmp_path / "labeling").recipe
    assert recipe.data["labeled"].options["higher_is_better"] is False
    assert recipe.data["labeled"].options["table"] == str(tmp_path / "labeling/labels/labels.csv")
    assert recipe.next_steps == []
    assert recipe.evaluate == []
    assert "12 images" in made.report.notes[0]
    assert made.notes == [
        "data.labeled of the recipe: the labels of the pool",
        "data.pristine of the recipe: the images of the pool, without its test images",
        "not there: data.test of the recipe; what judges on it is left out (test images drawn from the pool: --test "
        "NUMBER)",
        "label train needs 4 labels or more, a step of stream 'labeled'; with fewer: streams.labeled.batch_size=NUMBER",
    ]


def test_points_of_a_recipe_that_counts(make, tmp_path):
    made = make(COUNTED, test=4)
    settings = made.pool.settings
    assert (settings.takes, settings.unit, settings.low) == ("points", "beans", None)
    assert (settings.labeled, settings.unlabeled, settings.test) == ("labeled", "unlabeled", "test")
    recipe = pool_recipe(tmp_path / "labeling").recipe
    assert [spec.use.rpartition("/")[2] for spec in recipe.evaluate] == ["counting", "ranking_accuracy"]
    assert recipe.data["test"].options["annotations"].endswith("labeling/labels/test.csv")
    assert "data.test of the recipe: the labels of the test images" in made.notes


def test_a_recipe_without_labels(make):
    with pytest.raises(UserError, match="say what is asked of people: --takes score"):
        make(VIEWS)
    settings = make(VIEWS, takes="score", low=1.0, high=5.0, unit="MOS").pool.settings
    assert (settings.labeled, settings.unlabeled, settings.takes) == (None, "photos", "score")
    assert (settings.low, settings.high, settings.higher_is_better) == (1, 5, True)


def test_wishes_go_before_the_recipe(make):
    settings = make(low=1.0, high=5.0, higher_is_better=True, unit="MOS", seed=4).pool.settings
    assert (settings.low, settings.high, settings.higher_is_better, settings.unit, settings.seed) == (
        1,
        5,
        True,
        "MOS",
        4,
    )
    counted = make(takes="count", folder="counted").pool.settings
    assert (counted.takes, counted.low, counted.high, counted.higher_is_better) == ("count", None, None, True)


def test_test_images_are_drawn_by_the_seed(make):
    def drawn(folder, **wishes):
        return [row.path for row in make(folder=folder, **wishes).pool.rows(part="test")]

    first = drawn("a", test=4)
    assert len(first) == 4
    assert drawn("b", test=4) == first
    assert drawn("c", test=4, seed=1) != first
    assert set(drawn("d", test=3)) < set(first)  # more are a larger share of the same order


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"test": 12}, "--test 12 leaves none of the 12 images to choose from"),
        ({"low": 5.0, "high": 5.0}, "--low 5 is not below --high 5"),
        ({"low": 100.0}, "--low 100 is not below --high 100"),
        ({"takes": "points"}, "--takes points: the recipe learns from score or count"),
        ({"takes": "count", "low": 1.0}, "--low and --high bound scores; this labeling takes count"),
        ({"labeled": "no"}, "--labeled no: the recipe uses no data set of that name"),
        ({"test_data": "no", "test": 1}, "--test-data no: the recipe uses no data set of that name"),
        ({"images": "gone"}, "there is no folder .*gone"),
        ({"images": "empty"}, "there is nothing in the folder .*empty"),
        ({"images": "broken"}, "none of the 1 images in .*broken can be read"),
    ],
)
def test_a_wrong_wish_is_one_sentence_and_leaves_nothing_behind(make, tmp_path, monkeypatch, wishes, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.png").write_text("no image")
    if "images" in wishes:
        wishes = {**wishes, "images": tmp_path / wishes["images"]}
    with pytest.raises(UserError, match=sentence) as caught:
        make(**wishes)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "labeling").exists()


def test_a_folder_that_is_there_is_left_alone(make, tmp_path):
    (tmp_path / "labeling").mkdir()
    make()  # an empty one is as good as none
    before = {path: path.read_bytes() for path in (tmp_path / "labeling").iterdir()}
    with pytest.raises(UserError, match="labeling is there already; name another folder with --folder"):
        make()
    assert {path: path.read_bytes() for path in (tmp_path / "labeling").iterdir()} == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file is there already"):
        make(folder="file")
    with pytest.raises(UserError, match="cannot be made"):
        make(folder="file/below")


def test_the_best_of_an_evaluator_that_is_left_out_is_kept_no_more(make, tmp_path):
    changes = ["evaluate_every_epochs=1", "keep_best=quality"]
    make(changes=changes)
    assert pool_recipe(tmp_path / "labeling").recipe.keep_best is None
    make(changes=changes, test=2, folder="tested")
    assert pool_recipe(tmp_path / "tested").recipe.keep_best == "quality"


def test_the_recipe_in_the_folder_may_be_edited_and_is_checked(make, tmp_path):
    make()
    with pytest.raises(UserError, match=r"recipe\.yaml is not there; `rankhub label init` writes it"):
        pool_recipe(tmp_path)
    file = tmp_path / "labeling" / RECIPE
    file.write_text(file.read_text().replace("steps: 3", "steps: -3"))
    with pytest.raises(UserError, match=r"phases\.0\.steps"):
        pool_recipe(tmp_path / "labeling")


def test_images_whose_names_no_table_can_hold_are_one_sentence(make, tmp_path):
    photos(tmp_path / "images", 2)
    (tmp_path / "images/02.png").symlink_to(tmp_path / "images/01.png")
    import os

    try:
        os.rename(os.fsencode(tmp_path / "images/02.png"), os.fsencode(tmp_path / "images") + b"/\xe9.png")
    except OSError:
        pytest.skip("this file system takes no names that are not UTF-8")
    with pytest.raises(UserError, match=r"\\xe9\.png"):
        make(images=tmp_path / "images")
    assert not (tmp_path / "labeling").exists()


def test_settings_name_the_images_from_anywhere(make, monkeypatch, tmp_path):
    photos(tmp_path / "mine", 4)
    monkeypatch.chdir(tmp_path)
    made = make(images=type(tmp_path)("mine"))
    assert made.pool.settings.images == str(tmp_path / "mine")
    monkeypatch.chdir("/")
    recipe = pool_recipe(tmp_path / "labeling")
    opened, _ = open_images(made.pool.settings, recipe, QUIET)
    assert len(opened) == 4
    with pytest.raises(UserError, match="there is no folder"):
        open_images(made.pool.settings.model_copy(update={"images": "/gone"}), recipe, QUIET)
