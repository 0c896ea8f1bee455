from __future__ import annotations

import pytest
from helpers.commands import call

from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import Settings


@pytest.fixture
def pool(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labeling").mkdir()
    settings = Settings(images="/images/[set]", takes="count", labeled="photos", unit="cells")
    return Pool.create(tmp_path / "labeling", settings, [f"{n}.jpg" for n in range(1500)], test=["7.jpg"])


def lines(capsys):
    done = call(capsys, "label", "status")
    assert (done.code, done.err) == (0, "")
    return [" ".join(line.split()) for line in done.out.splitlines() if line.strip()]


def test_before_the_first_round(capsys, pool):
    assert lines(capsys) == [
        "labeling: 1,500 images of /images/[set]; asked for: count (cells)",
        "images labeled asked free skipped",
        "to learn from 1,499 0 0 1,499 0",
        "test images 1 0 0 1 0",
        "next: choose images to label: rankhub label next",
    ]


def test_after_some_rounds(capsys, pool, tmp_path):
    run = tmp_path / "labeling" / "runs" / "001"
    run.mkdir(parents=True)
    (run / "results.csv").write_text(",counting mae\nbefore training,9\nafter training,2.5\n")
    pool.ask([0, 1, 2], "random", None, {})
    pool.answer({0: "4", 1: "0"}, "x", skipped=[2])
    pool.trained(1, str(run))
    pool.ask([3, 4], "ranking_uncertainty[draws=10]", str(run), {})
    pool.answer({3: "1", 5: "2"}, "x")
    assert lines(capsys)[1:] == [
        "round asked answered skipped open unasked chosen by trained result",
        "1 3 2 1 0 0 random labeling/runs/001 counting mae 2.500",
        "2 2 1 0 1 1 ranking_uncertainty[draws=10]",
        "images labeled asked free skipped",
        "to learn from 1,499 4 1 1,493 1",
        "test images 1 0 0 1 0",
        "next: answer the one open image: rankhub label serve, or rankhub label ingest FILE; or train on the 2 new "
        "labels: rankhub label train",
    ]


def test_without_a_pool(capsys, tmp_path):
    done = call(capsys, "label", "status", "--folder", tmp_path)
    assert done.code == 2
    assert "holds no pool" in done.err
