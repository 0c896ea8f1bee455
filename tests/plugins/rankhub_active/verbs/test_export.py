from __future__ import annotations

import csv

import pytest
from helpers.commands import call

from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import Settings


@pytest.fixture
def pool(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labeling").mkdir()
    pool = Pool.create(tmp_path / "labeling", Settings(images="/images", takes="score"), ["a.jpg", "b.jpg"])
    pool.answer({1: "2.5"}, "page")
    return pool


def test_the_whole_table_is_written(capsys, pool, tmp_path):
    done = call(capsys, "label", "export", "table.csv")
    assert (done.code, done.out) == (0, "2 images, table.csv\n")
    header, first, second = (tmp_path / "table.csv").read_text().splitlines()
    assert header == "path,part,state,label,round,score,source,answered"
    assert first == "a.jpg,pool,unlabeled,,,,,"
    assert second.startswith("b.jpg,pool,labeled,2.5,0,,page,20")


def test_a_file_that_is_there_stays_without_force(capsys, pool, tmp_path):
    (tmp_path / "table.csv").write_text("mine")
    done = call(capsys, "label", "export", "table.csv")
    assert done.code == 2
    assert "table.csv is there already; name another file, or --force to replace it" in done.err
    assert (tmp_path / "table.csv").read_text() == "mine"
    assert call(capsys, "label", "export", "table.csv", "--force").code == 0
    assert (tmp_path / "table.csv").read_text().startswith("path,part,")


@pytest.mark.parametrize("path", ["absent/table.csv", "labeling"])
def test_a_place_that_cannot_be_written(capsys, pool, path):
    done = call(capsys, "label", "export", path, "--force")
    assert done.code == 2
    assert done.err.count("\n") == 1


def test_names_that_a_spreadsheet_would_compute_can_be_disarmed(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labeling").mkdir()
    names = ["+a.jpg", "-2.jpg", "=1+1.jpg", "@a.jpg", "a.jpg"]
    pool = Pool.create(tmp_path / "labeling", Settings(images="/images", takes="score"), names)
    pool.answer({0: "-3.5"}, "=cmd")
    assert call(capsys, "label", "export", "plain.csv").code == 0
    assert call(capsys, "label", "export", "safe.csv", "--safe-csv").code == 0
    plain, safe = (list(csv.DictReader((tmp_path / f"{name}.csv").open())) for name in ("plain", "safe"))
    assert [row["path"] for row in plain] == names
    assert [row["path"] for row in safe] == [*(f"'{name}" for name in names[:4]), "a.jpg"]
    assert (safe[0]["label"], safe[0]["source"]) == ("-3.5", "'=cmd")  # a number is one to a spreadsheet too
