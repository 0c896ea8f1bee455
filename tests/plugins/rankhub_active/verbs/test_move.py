"""`rankhub label move` as a user calls it."""

from __future__ import annotations

import shutil

import pytest
from helpers.commands import call
from helpers.labeling import fill_in, images_and_recipe

from rankhub_active.labeling.pool import Pool


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return images_and_recipe(tmp_path_factory.mktemp("move"), 9)


@pytest.fixture
def home(made, tmp_path, monkeypatch, capsys):
    """A folder with a pool and an answered round, whose images have gone elsewhere."""
    home = tmp_path / "home"
    shutil.copytree(made, home)
    monkeypatch.chdir(home)
    assert call(capsys, "label", "init", "tiny.yaml", "--images", "images").code == 0
    assert call(capsys, "label", "next", "--count", 6, "--no-copy").code == 0
    fill_in(home / "labeling/rounds/001/answers.csv")
    assert call(capsys, "label", "ingest", home / "labeling/rounds/001/answers.csv").code == 0
    shutil.move(home / "images", tmp_path / "elsewhere")
    return home


@pytest.mark.parametrize("verb", [("next", "--more"), ("train",)])
def test_what_needs_the_images_says_where_they_were(home, capsys, verb):
    done = call(capsys, "label", *verb)
    assert done.code == 2
    assert f"{home}/images, the folder of this pool's images, is not there" in done.err
    assert done.err.rstrip().endswith("if it has moved: rankhub label move NEW_FOLDER")


def test_the_page_says_it_too(home, capsys):
    home.joinpath("images").symlink_to(home.parent / "elsewhere")
    assert call(capsys, "label", "next", "--more", "--count", 1, "--no-copy").code == 0
    home.joinpath("images").unlink()
    done = call(capsys, "label", "serve", "--no-open")
    assert done.code == 2
    assert "rankhub label move NEW_FOLDER" in done.err


def test_told_where_the_images_are_the_work_goes_on(home, capsys):
    done = call(capsys, "label", "move", "../elsewhere")
    assert done.code == 0, done.err
    first, last = done.out.splitlines()
    assert Pool(home / "labeling").settings.images == first.removeprefix("Images: ")
    assert last == "Next: train on the 6 new labels: rankhub label train"
    trained = call(capsys, "label", "train")
    assert trained.code == 0, trained.err
    chosen = call(capsys, "label", "next", "--count", 2)
    assert chosen.code == 0, chosen.err
    assert len(list((home / "labeling/rounds/002/images").rglob("*.png"))) == 2


def test_images_that_are_missing_are_named_and_nothing_is_changed(home, capsys):
    elsewhere = home.parent / "elsewhere"
    paths = sorted(Pool(home / "labeling").ids())
    (elsewhere / paths[3]).unlink()
    done = call(capsys, "label", "move", elsewhere)
    assert done.code == 2
    assert f"lacks 1 of the 9 images of the pool, such as {paths[3]}; add them" in done.err
    assert Pool(home / "labeling").settings.images == str(home / "images")
    (home.parent / "other").mkdir()
    done = call(capsys, "label", "move", home.parent / "other", "--incomplete")
    assert done.code == 2
    assert f"holds none of the 9 images of the pool, such as {paths[0]}" in done.err
    done = call(capsys, "label", "move", home.parent / "absent")
    assert done.code == 2
    assert f"there is no folder {home.parent / 'absent'}" in done.err
    assert Pool(home / "labeling").settings.images == str(home / "images")


@pytest.mark.parametrize("state", ["labeled", "unlabeled"])
def test_without_a_missing_image_the_work_goes_on(home, capsys, state):
    gone = Pool(home / "labeling").rows(state=state)[0].path
    (home.parent / "elsewhere" / gone).unlink()
    done = call(capsys, "label", "move", home.parent / "elsewhere", "--incomplete")
    assert done.code == 0
    assert done.out.startswith("1 images are missing there")
    trained = call(capsys, "label", "train")
    assert trained.code == 0, trained.err
    note = f"labels of 1 images that are not in {home.parent / 'elsewhere'} any more are left out, such as {gone}"
    assert (note in trained.out) == (state == "labeled")
    assert "has learned from these labels already" in call(capsys, "label", "train").err
    chosen = call(capsys, "label", "next", "--count", 9)
    assert chosen.code == 0, chosen.err
    assert gone in chosen.out  # named as one that cannot be found
    assert gone not in {row.path for row in Pool(home / "labeling").rows(round=2)}


def test_nothing_is_trained_where_no_labeled_image_is_left(home, capsys):
    assert call(capsys, "label", "move", home.parent / "elsewhere").code == 0
    for row in Pool(home / "labeling").rows(state="labeled"):
        (home.parent / "elsewhere" / row.path).unlink()
    done = call(capsys, "label", "train")
    assert done.code == 2
    assert "none of the labeled images is in" in done.err
    assert not (home / "labeling/runs").exists()
