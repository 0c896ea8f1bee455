"""`rankhub label init` as a user calls it."""

from __future__ import annotations

import pytest
from helpers.commands import call
from helpers.labeling import COUNTED, SCORED, photos, recipe_in

from rankhub_active.labeling.pool import Pool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve images, and two recipes beside them."""
    root = tmp_path_factory.mktemp("init")
    photos(root / "my images", 12)
    for name, text in (("quality", SCORED), ("counting", COUNTED)):
        (root / name).mkdir()
        recipe_in(root / name, text)
    return root


@pytest.fixture
def init(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def called(*arguments, recipe="quality", images="my images"):
        return call(capsys, "label", "init", folder / recipe / "tiny.yaml", "--images", folder / images, *arguments)

    return called


def test_scores_are_set_up_in_the_folder_labeling(init, folder, tmp_path):
    done = init("--test", 3, "optimizer.lr=0.5")
    assert done.code == 0, done.err
    assert f"12 images of {folder / 'my images'}, each of which may get a score from 0 to 100, lower is " in done.out
    assert "better (DMOS); others by --low and --high: labeling" in done.out.replace("\n", " ")
    assert "note: data.labeled of the recipe: the labels of the pool" in done.out
    assert done.out.splitlines()[-1] == "Next: choose images to label: rankhub label next"
    pool = Pool(tmp_path / "labeling")
    assert (pool.settings.higher_is_better, pool.settings.high) == (False, 100)
    assert len(pool.rows(part="test")) == 3
    assert {path.name for path in pool.folder.iterdir()} == {"pool.db", "recipe.yaml"}
    assert "lr: 0.5" in (pool.folder / "recipe.yaml").read_text()


def test_the_folders_recipe_is_one_that_validates(init, tmp_path, capsys):
    assert init("--folder", "beans", recipe="counting").code == 0
    assert call(capsys, "validate", tmp_path / "beans/recipe.yaml").code == 0
    assert Pool(tmp_path / "beans").settings.takes == "points"
    again = init("--folder", "beans", recipe="counting")
    assert again.code == 2
    assert "beans is there already; name another folder with --folder" in again.err


def test_options_reach_the_settings(init, tmp_path):
    options = ("--low", 1, "--high", 5, "--higher-is-better", "--unit", "MOS", "--seed", 3, "--unlabeled", "pristine")
    done = init(*options, "--folder", "mos", "--test", 2, "--test-data", "test", "--labeled", "labeled")
    assert done.code == 0, done.err
    assert "Next: choose images to label: rankhub label next --folder mos" in done.out
    settings = Pool(tmp_path / "mos").settings
    assert (settings.low, settings.high, settings.higher_is_better, settings.unit, settings.seed) == (
        1,
        5,
        True,
        "MOS",
        3,
    )


def test_labels_that_are_known_are_taken(init, tmp_path):
    (tmp_path / "known.csv").write_text("path,score\n01.png,3\n02.png,40.5\n")
    done = init("--answers", "known.csv")
    assert done.code == 0, done.err
    assert "2 labeled, 0 skipped, 0 left open, labels from 3 to 40.5" in done.out
    assert ": rankhub label train" in done.out.splitlines()[-1]
    rows = Pool(tmp_path / "labeling").rows(state="labeled")
    assert [(row.path, row.label, row.round) for row in rows] == [("01.png", "3.0", 0), ("02.png", "40.5", 0)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--takes", "stars"), "--takes stars: expected score, count or points"),
        (("--takes", "points"), "--takes points: the recipe learns from score or count"),
        (("--test", 12), "--test 12 leaves none of the 12 images"),
        (("--labeled", "labled"), "--labeled labled: the recipe uses no data set of that name"),
        (("optimizer.rl=1",), "optimizer.rl"),
        (
            ("streams.ranked.batch_size=10", "--test", 3),
            "stream 'ranked' takes 10 images a step, the pool has 9 to learn from: add images, or change the recipe: "
            "streams.ranked.batch_size=9",
        ),
        (
            ("streams.ranked.generator.random_crops.size=45", "streams.labeled.generator.random_crops.size=45"),
            "stream 'labeled': 12 of 12 images are smaller than the crop of 45 pixels",
        ),
        (("--answers", "known.csv"), "known.csv: 2 rows cannot be taken"),
        (("--answers", "nowhere.csv"), "nowhere.csv cannot be read"),
    ],
)
def test_a_mistake_leaves_nothing_behind(init, tmp_path, arguments, sentence):
    (tmp_path / "known.csv").write_text("path,score\n01.png,300\nz.png,4\n02.png,1\n")
    done = init(*arguments)
    assert done.code == 2
    assert sentence in done.err.replace("\n", " ")
    assert "Traceback" not in done.err
    assert not (tmp_path / "labeling").exists()


def test_images_have_to_be_named_and_there(init, folder, capsys):
    assert call(capsys, "label", "init", folder / "quality/tiny.yaml").code == 2
    done = init(images="gone")
    assert (done.code, "there is no folder" in done.err) == (2, True)
