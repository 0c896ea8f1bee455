from __future__ import annotations

import subprocess
import sys

import pytest
from helpers.commands import call

from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import Settings


@pytest.fixture
def pool(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labeling").mkdir()
    settings = Settings(images="/images", takes="score", low=1, high=5, labeled="photos")
    pool = Pool.create(tmp_path / "labeling", settings, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    pool.ask([0, 1, 2], "random", None, {})
    return pool


def test_answers_are_taken_and_counted(capsys, pool, tmp_path):
    (tmp_path / "answers.csv").write_text("path,score\na.jpg,4\nb.jpg,skip\nc.jpg,\n")
    done = call(capsys, "label", "ingest", "answers.csv")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "answers.csv: 1 labeled, 1 skipped, 1 left open",
        "next: answer the one open image: rankhub label serve, or rankhub label ingest FILE; or train on the one new "
        "label: rankhub label train",
    ]
    assert [row.state for row in pool.rows()] == ["labeled", "skipped", "asked", "unlabeled"]


def test_a_wrong_row_is_named_and_keeps_all_out(capsys, pool, tmp_path):
    (tmp_path / "answers.csv").write_text("path,score\na.jpg,4\nb.jpg,7\n")
    done = call(capsys, "label", "ingest", "answers.csv", "--folder", "labeling")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        "error: answers.csv: one row cannot be taken, and nothing was changed:",
        "  line 3: b.jpg: 7 is not from 1 to 5",
    ]
    assert not pool.rows(state="labeled")


def test_twice(capsys, pool, tmp_path):
    (tmp_path / "answers.csv").write_text("path,score\na.jpg,4\nb.jpg,2\n")
    call(capsys, "label", "ingest", "answers.csv")
    before = pool.rows()
    done = call(capsys, "label", "ingest", "answers.csv")
    assert done.code == 2
    assert done.err.startswith("error: all 2 answers in answers.csv stood in the table before, with the same label;")
    assert "line 2: a.jpg: labeled already" in done.err
    done = call(capsys, "label", "ingest", "answers.csv", "--amend")
    assert done.code == 0
    assert "0 labeled, 0 skipped, 0 left open, 2 the same as before" in done.out
    assert pool.rows() == before


def test_amend(capsys, pool, tmp_path):
    pool.answer({0: "1.0"}, "x")
    (tmp_path / "answers.csv").write_text("path,score\na.jpg,4\n")
    refused = call(capsys, "label", "ingest", "answers.csv")
    assert refused.code == 2
    assert "--amend replaces their labels" in refused.err
    assert call(capsys, "label", "ingest", "answers.csv", "--amend").code == 0
    assert pool.row(0).label == "4.0"


def test_without_a_pool(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(capsys, "label", "ingest", "answers.csv")
    assert done.code == 2
    assert "holds no pool" in done.err


def test_verbs_that_need_no_network_do_not_import_torch():
    code = (
        "import sys, rankhub_cli.main\n"
        "from rankhub_active.labeling import answers, export, summary\n"
        "rankhub_cli.main.execute(['label', 'status', '--help'])\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False)
    assert done.returncode == 0
