"""`rankhub label next` as a user calls it."""

from __future__ import annotations

import shutil

import pytest
from helpers.commands import call
from helpers.labeling import fill_in, read, set_up_in

from rankhub_active.labeling.pool import Pool


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("next")
    set_up_in(root, test=2)
    return root


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    """A folder with a pool, from which the commands are called."""
    shutil.copytree(made / "labeling", tmp_path / "labeling")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_round_is_written_out(root, capsys):
    done = call(capsys, "label", "next", "--count", 4)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert "Round 1: 6 images, chosen by random" in lines
    assert [line.strip() for line in lines if line.startswith("  ")] == [
        f"labeling/rounds/001/{name}" for name in ("ask.csv", "answers.csv", "sheet.png", "images")
    ]
    assert lines[-1].endswith("rankhub label serve, or rankhub label ingest labeling/rounds/001/answers.csv")
    assert list(read(root / "labeling/rounds/001/ask.csv")[0]) == ["path", "place", "priority", "part"]
    assert len(list((root / "labeling/rounds/001/images").rglob("*.png"))) == 6


def test_killed_before_the_files_were_there_the_same_round_is_written_out(root, capsys):
    assert call(capsys, "label", "next", "--count", 4).code == 0
    folder = root / "labeling/rounds/001"
    before = {name: (folder / name).read_bytes() for name in ("ask.csv", "answers.csv", "sheet.png")}
    shutil.rmtree(folder)
    again = call(capsys, "label", "next", "--count", 9, "--no-copy")
    assert again.code == 0
    assert "Round 1 is not over: 6 of 6 images wait for an answer (--more begins another)." in again.out
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert not (folder / "images").exists()
    assert len(Pool(root / "labeling").rounds()) == 2


def test_answers_that_someone_has_begun_stay(root, capsys):
    call(capsys, "label", "next", "--count", 4)
    form = root / "labeling/rounds/001/answers.csv"
    fill_in(form, leave=3)
    begun = form.read_bytes()
    assert call(capsys, "label", "next").code == 0
    assert form.read_bytes() == begun


def test_more_begins_another_round(root, capsys):
    call(capsys, "label", "next", "--count", 4)
    done = call(capsys, "label", "next", "--count", 3, "--more")
    assert "Round 2: 3 images, chosen by random" in done.out  # the test images were asked for already
    first, second = (read(root / f"labeling/rounds/00{number}/ask.csv") for number in (1, 2))
    assert not {row["path"] for row in first} & {row["path"] for row in second}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("runs/none",), "runs/none is no run's folder; leave it out to take the last run of `label train`"),
        (("labeling",), "labeling is no run's folder: recipe.resolved.yaml is not in it"),
        (("acquire.use=coreset",), "acquire.use=coreset: no network has been trained yet"),
        (("--count", 0), "--count"),
        (("--folder", "elsewhere"), "holds no pool"),
    ],
)
def test_mistakes_are_sentences_and_begin_no_round(root, capsys, arguments, sentence):
    done = call(capsys, "label", "next", *arguments)
    assert done.code == 2
    assert sentence in done.err.replace("\n", " ")
    assert "Traceback" not in done.err
    assert len(Pool(root / "labeling").rounds()) == 1
    assert not (root / "labeling/rounds").exists()
