from __future__ import annotations

import pytest


@pytest.mark.parametrize("takes", ["score", "points"])
def test_the_benchmark_makes_answers_that_are_taken(load_tool, tmp_path, takes):
    bench = load_tool("bench_labeling")
    pool = bench.make_pool(tmp_path / "labeling", tmp_path / "images", 1200, takes)
    bench.write_answers(pool, tmp_path / "answers.csv", 30, seed=0)
    assert len(bench.ingest_seconds(pool, tmp_path / "answers.csv", 1)) == 1
    assert len(pool.rows(state="labeled")) == 30


def test_a_kill_is_told_and_judged(load_tool, tmp_path, capsys):
    check = load_tool("check_labeling")
    assert check.check_ingest(tmp_path, 1, rows=300, answers=100, seed=0)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("ingest, kill 1: after ")
    assert last.startswith("ingest: 1 of 1 kills left a whole table with all labels or none (")


def test_a_table_that_is_not_lawful_is_told(load_tool, tmp_path, capsys, monkeypatch):
    check = load_tool("check_labeling")
    from labeling_kill.ingest import Killed

    half = Killed(moment=0.1, when="in", labels=50, whole=True, lawful=False)
    monkeypatch.setattr(check, "kill_ingest", lambda *_, **__: iter([half]))
    assert not check.check_ingest(tmp_path, 1, rows=300, answers=100, seed=0)
    assert "NOT EACH LABEL ONCE" in capsys.readouterr().out


def test_half_of_the_labels_are_not_lawful(load_tool, tmp_path):
    load_tool("check_labeling")
    from labeling_kill.ingest import left, make_pool

    pool = make_pool(tmp_path / "labeling", 10)
    answers = tmp_path / "answers.csv"
    answers.write_text("path,score\nimage_000000.jpg,1\nimage_000001.jpg,2\n")
    found = left(pool.folder, answers, 0.1, 2)
    assert (found.when, found.labels, found.lawful) == ("before", 0, True)
    found = left(pool.folder, answers, 0.1, 2)
    assert (found.when, found.labels, found.lawful) == ("after", 2, True)
    answers.write_text("path,score\nimage_000000.jpg,1\nimage_000002.jpg,2\nimage_000003.jpg,2\n")
    assert not left(pool.folder, answers, 0.1, 3).lawful
