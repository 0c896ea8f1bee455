from __future__ import annotations

import os
import time

import pytest

from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import Settings
from rankhub_active.labeling.summary import advice, result, summarize

PATHS = [f"{number}.jpg" for number in range(10)]


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def made(name="labeling", labeled="photos"):
        (tmp_path / name).mkdir()
        folder = (tmp_path / name).relative_to(tmp_path)
        return Pool.create(folder, Settings(images="/images", takes="score", labeled=labeled), PATHS, test=["9.jpg"])

    return made


def trained(tmp_path, pool, number, age=0.0):
    """A run that learned from the labels, begun so many seconds ago."""
    run = tmp_path / f"run{number}"
    run.mkdir()
    begun = run / "recipe.resolved.yaml"
    begun.write_text("")
    os.utime(begun, (time.time() - age, time.time() - age))
    (run / "results.csv").write_text(
        ",quality srocc,quality plcc\nraw pixels,,\nbefore training,0.1,0.2\nafter training,,0.71251\n"
    )
    pool.trained(number, str(run))
    return run


def test_the_rounds_and_the_parts(make, tmp_path):
    pool = make()
    pool.answer({0: "1.0"}, "known")
    trained(tmp_path, pool, 0)
    pool.ask([1, 2, 3, 9], "ranking_uncertainty", "run0", {})
    pool.answer({1: "1.0", 4: "2.0"}, "x", skipped=[2])
    summary = summarize(pool)
    assert [each.round.number for each in summary.rounds] == [0, 1]
    known, first = summary.rounds
    assert (dict(known.states), known.besides, known.result) == ({"labeled": 1}, 0, "quality plcc 0.713")
    assert (dict(first.states), first.besides, first.result) == ({"labeled": 1, "skipped": 1, "asked": 2}, 1, None)
    assert {part: dict(states) for part, states in summary.parts.items()} == {
        "pool": {"labeled": 3, "skipped": 1, "asked": 1, "unlabeled": 4},
        "test": {"asked": 1},
    }
    assert sum(sum(states.values()) for states in summary.parts.values()) == len(PATHS)


def test_a_round_0_without_labels_is_not_shown(make):
    assert summarize(make()).rounds == []


def test_advice_goes_round(make, tmp_path):
    pool = make()
    assert advice(pool) == "choose images to label: rankhub label next"
    pool.ask([0, 1], "random", None, {})
    answer = "rankhub label serve, or rankhub label ingest FILE"
    assert advice(pool) == f"answer the 2 open images: {answer}"
    pool.answer({0: "1.0"}, "x")
    train = "train on the one new label: rankhub label train"
    assert advice(pool) == f"answer the one open image: {answer}; or {train}"
    pool.skip(1, "x")
    assert advice(pool) == train
    trained(tmp_path, pool, 1, age=-60)  # a clock that is ahead must not make labels look new
    assert advice(pool) == "choose images to label: rankhub label next"
    pool.ask(range(2, 10), "random", None, {})
    pool.answer(dict.fromkeys(range(2, 9), "1.0"), "x")
    assert advice(pool) == f"answer the one open image: {answer}; or train on the 7 new labels: rankhub label train"
    pool.skip(9, "x")
    trained(tmp_path, pool, 2, age=-60)
    assert advice(pool).startswith("nothing; every image of the pool was asked for. Write the labels out: rankhub")


def test_labels_given_since_training_began_are_new(make, tmp_path):
    pool = make()
    pool.answer({0: "1.0", 1: "1.0"}, "x")
    trained(tmp_path, pool, 0, age=60)
    assert advice(pool) == "train on the 2 new labels: rankhub label train"


def test_labels_of_test_images_are_nothing_to_learn_from(make, tmp_path):
    pool = make()
    pool.answer({9: "1.0"}, "x")
    assert advice(pool) == "choose images to label: rankhub label next"


def test_a_trained_run_that_is_gone_does_not_matter(make, tmp_path):
    pool = make()
    pool.answer({0: "1.0"}, "x")
    pool.trained(0, str(tmp_path / "gone"))
    assert summarize(pool).rounds[0].result is None
    assert advice(pool) == "choose images to label: rankhub label next"


def test_a_recipe_that_learns_from_no_labels_is_not_trained(make):
    pool = make(labeled=None)
    pool.answer({0: "1.0"}, "x")
    assert advice(pool) == "choose images to label: rankhub label next"


def test_commands_name_another_folder_and_the_form_of_the_round(make):
    pool = make("my labels")
    pool.ask([0], "random", None, {})
    form = pool.folder / "rounds" / "001" / "answers.csv"
    form.parent.mkdir(parents=True)
    form.write_text("path,score\n0.jpg,\n")
    assert advice(pool) == (
        "answer the one open image: rankhub label serve --folder 'my labels', or "
        "rankhub label ingest 'my labels/rounds/001/answers.csv' --folder 'my labels'"
    )


@pytest.mark.parametrize(
    "content", ["", ",a b\n", ",a b\nafter,\n", ",a b\nafter,nan\n", "\x00\xff", ",a b\nafter,good,0.5\n"]
)
def test_a_table_without_a_figure(tmp_path, content):
    (tmp_path / "results.csv").write_bytes(content.encode("latin-1"))
    assert result(str(tmp_path)) is None
