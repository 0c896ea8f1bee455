"""What people get of a round."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.labeling import COUNTED, fill_in, quiet, read, set_up_in
from PIL import Image

from rankhub import UserError
from rankhub.interfaces import files as files_of_ours
from rankhub_active.labeling import handout
from rankhub_active.labeling.choose import Request, choose
from rankhub_active.labeling.handout import hand_out
from rankhub_data.sheet import GAP, TEXT


@pytest.fixture
def pool(tmp_path):
    return set_up_in(tmp_path, test=2)


@pytest.fixture
def round_of():
    return lambda pool, count=4: choose(pool, Request(count), quiet)


def give(pool, chosen, folder, copy=True):
    return hand_out(folder, chosen, pool.settings, copy=copy, progress=quiet)


def test_a_list_a_form_copies_and_a_sheet(pool, round_of, tmp_path):
    chosen, folder = round_of(pool), tmp_path / "labeling/rounds/001"
    written = give(pool, chosen, folder)
    assert [path.name for path in written] == ["ask.csv", "answers.csv", "sheet.png", "images"]
    rows = read(folder / "ask.csv")
    assert list(rows[0]) == ["path", "place", "priority", "part"]
    assert [row["path"] for row in rows] == [row.path for row in chosen.rows]
    assert [row["place"] for row in rows] == list("123456")
    assert [row["part"] for row in rows] == ["pool"] * 4 + ["test"] * 2
    assert [float(row["priority"]) for row in rows[:4]] == [row.score for row in chosen.rows[:4]]
    form = read(folder / "answers.csv")
    assert form == [{"path": row.path, "score": ""} for row in chosen.rows]
    copies = {path.relative_to(folder / "images").as_posix() for path in (folder / "images").rglob("*.png")}
    assert copies == {row.path for row in chosen.rows}
    for path in copies:
        assert (folder / "images" / path).read_bytes() == (tmp_path / "images" / path).read_bytes()
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.width > 6 * 160
    assert not list(folder.rglob("*.partial"))


def test_points_are_asked_for_with_marks_that_say_nothing_yet(tmp_path, round_of):
    pool = set_up_in(tmp_path, COUNTED)
    give(pool, round_of(pool), tmp_path / "out", copy=False)
    rows = read(tmp_path / "out/answers.csv")
    assert [(row["x"], row["y"]) for row in rows] == [("?", "?")] * 4
    assert not (tmp_path / "out/images").exists()


def test_counts_have_a_column_of_their_name(tmp_path, round_of):
    pool = set_up_in(tmp_path, takes="count")
    give(pool, round_of(pool), tmp_path / "out", copy=False)
    assert list(read(tmp_path / "out/answers.csv")[0]) == ["path", "count"]


def test_a_form_that_someone_has_begun_is_left_alone_and_the_rest_is_written_again(pool, round_of, tmp_path):
    chosen = round_of(pool)
    give(pool, chosen, tmp_path / "out")
    fill_in(tmp_path / "out/answers.csv", leave=2)
    begun = (tmp_path / "out/answers.csv").read_bytes()
    for name in ("ask.csv", "sheet.png"):
        (tmp_path / "out" / name).unlink()
    give(pool, chosen, tmp_path / "out")
    assert (tmp_path / "out/answers.csv").read_bytes() == begun
    assert (tmp_path / "out/ask.csv").is_file()
    assert (tmp_path / "out/sheet.png").is_file()


def test_a_form_is_there_whole_or_not_at_all(pool, round_of, tmp_path, monkeypatch):
    chosen, files = round_of(pool), []

    def killed(handle):
        files.append(handle)
        if len(files) == 2:  # the list, then the form
            raise KeyboardInterrupt

    monkeypatch.setattr(files_of_ours.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        give(pool, chosen, tmp_path / "out")
    assert not (tmp_path / "out/answers.csv").exists()
    monkeypatch.undo()
    give(pool, chosen, tmp_path / "out")
    assert len(read(tmp_path / "out/answers.csv")) == len(chosen.rows)


def test_a_form_of_a_round_half_answered_has_the_open_images(pool, round_of, tmp_path):
    chosen = round_of(pool)
    pool.answer({chosen.rows[0].id: "3.0"}, "page")
    again = round_of(pool)
    give(pool, again, tmp_path / "out")
    assert [row["path"] for row in read(tmp_path / "out/answers.csv")] == [row.path for row in chosen.rows[1:]]
    assert len(read(tmp_path / "out/ask.csv")) == len(chosen.rows)


def test_an_image_that_has_vanished_meanwhile_does_not_keep_back_the_others(pool, round_of, tmp_path):
    chosen = round_of(pool)
    (tmp_path / "images" / chosen.rows[1].path).unlink()
    again = round_of(pool)
    give(pool, again, tmp_path / "out")
    assert len(list((tmp_path / "out/images").rglob("*.png"))) == len(chosen.rows) - 1


def test_what_cannot_be_written_is_a_sentence(pool, round_of, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"the files of the round in .*below cannot be written"):
        give(pool, round_of(pool), tmp_path / "file" / "below")


def test_the_sheet_shows_the_images_in_their_order(pool, round_of, tmp_path):
    chosen = round_of(pool)
    give(pool, chosen, tmp_path / "out", copy=False)
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        pixels = np.asarray(sheet)
    for number, row in enumerate(chosen.rows):
        with Image.open(tmp_path / "images" / row.path) as image:
            height = round(160 * image.height / image.width)
            expected = np.asarray(image.resize((160, height), Image.Resampling.NEAREST))
        left, bottom = GAP + number * (160 + GAP), 2 * GAP + TEXT + 3 + 160
        np.testing.assert_array_equal(pixels[bottom - height : bottom, left : left + 160], expected)


def test_more_images_than_a_sheet_holds_are_left_out(pool, round_of, tmp_path, monkeypatch):
    monkeypatch.setattr(handout, "MOST", 3)
    chosen = round_of(pool)
    give(pool, chosen, tmp_path / "out", copy=False)
    with Image.open(tmp_path / "out/sheet.png") as sheet:
        assert sheet.width < GAP + 4 * (160 + GAP)
    assert len(chosen.rows) > 3
