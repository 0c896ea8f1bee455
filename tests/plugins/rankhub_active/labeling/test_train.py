"""Training on the labels of a pool."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from helpers.labeling import QUIET, VIEWS, answer_round, photos, quiet, read, score_of, set_up_in, stop_after

import rankhub
from rankhub import Talk, UserError
from rankhub.engine import checkpoint
from rankhub_active.labeling.choose import Request, choose
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.train import train


@pytest.fixture
def pool(learned, tmp_path):
    """A copy, in a folder of its own; its run moves with it."""
    shutil.copytree(learned[0].folder, tmp_path / "labeling")
    return Pool(tmp_path / "labeling")


@pytest.fixture
def answered(tmp_path):
    """A pool with labels of a first round, not trained on yet, without test images."""
    pool = set_up_in(tmp_path)
    choose(pool, Request(6), quiet)
    answer_round(pool)
    return pool


def resolved(run):
    return yaml.safe_load((run / "recipe.resolved.yaml").read_text())


def judged_by(run):
    return [spec["use"].rpartition("/")[2] for spec in resolved(run)["evaluate"]]


@pytest.fixture
def unplugged(monkeypatch):
    """Runs that write no more than their recipe: what was started, and whether they are stopped."""
    started, stopped = [], [False]

    def start(loaded, out, progress):
        out.mkdir(parents=True)
        (out / "recipe.resolved.yaml").write_text(loaded.resolved_text())
        started.append(out.name)
        return SimpleNamespace(stopped=stopped[0])

    def resume(run, progress):
        started.append(f"resumed {run.name}")
        return SimpleNamespace(stopped=stopped[0])

    monkeypatch.setattr(rankhub, "train", start)
    monkeypatch.setattr(rankhub, "resume", resume)
    return started, stopped


def more(pool, count=2):
    choose(pool, Request(count, changes=["acquire.use=random"]), quiet)
    answer_round(pool)


def test_it_learns_from_exactly_the_labels_of_the_table(learned):
    pool, trained = learned
    assert (trained.stopped, trained.resumed, trained.run) == (False, False, pool.folder / "runs/001")
    labels = pool.folder / "labels/001"
    for part, name in (("pool", "labels.csv"), ("test", "test.csv")):
        rows = {row["path"]: float(row["score"]) for row in read(labels / name)}
        assert rows == {row.path: score_of(row.path) for row in pool.rows(state="labeled", part=part)}
    tests = {row.path for row in pool.rows(part="test")}
    assert {row["path"] for row in read(labels / "pool.csv")} == set(pool.ids()) - tests
    data = resolved(trained.run)["data"]
    assert data["labeled"]["table"] == str(labels / "labels.csv")
    assert data["test"]["table"] == str(labels / "test.csv")
    assert data["pristine"]["listed"] == str(labels / "pool.csv")
    assert not list(pool.folder.rglob("*.partial"))
    # What the run has seen: its standardization is that of the six labels, turned since lower is better.
    label = json.loads((trained.run / "labels.json").read_text())["labeled"]
    values = torch.tensor([-score_of(row.path) for row in pool.rows(state="labeled", part="pool")])
    assert label["mean"] == pytest.approx(float(values.mean()), rel=1e-5)
    assert [one.trained for one in pool.rounds()] == [None, str(trained.run.absolute())]


def test_test_labels_are_judged_on(learned):
    _, trained = learned
    assert judged_by(trained.run) == ["quality"]
    assert (trained.run / "results.csv").is_file()


def test_the_next_run_starts_from_the_last_ones_weights(learned, pool):
    more(pool)
    again = train(pool, ["steps=1", "optimizer.lr=1.0e-12"], QUIET)
    assert again.run == pool.folder / "runs/002"
    first = pool.folder / "runs/001"
    assert resolved(again.run)["start_from"]["run"] == str(first)
    before, after = (checkpoint.read_weights(run, average=False)[0] for run in (first, again.run))
    for name, value in after.items():
        if name.endswith(("weight", "bias")):  # not the statistics of BatchNorm
            torch.testing.assert_close(value, before[name], rtol=1e-6, atol=1e-6)
    assert [one.trained for one in pool.rounds()][1:] == [str(first), str(again.run)]


def test_from_scratch_it_starts_from_nothing(pool, unplugged):
    more(pool)
    run = train(pool, [], QUIET, scratch=True).run
    assert resolved(run)["start_from"] is None


def test_without_test_labels_what_judges_on_them_is_left_out(tmp_path, unplugged):
    pool = set_up_in(tmp_path, test=2)
    rounds = choose(pool, Request(6), quiet)
    pool.answer({row.id: "5.0" for row in rounds.rows if row.part == "pool"}, "people")
    run = train(pool, [], QUIET).run
    assert judged_by(run) == []
    answer_round(pool)
    run = train(pool, [], QUIET).run
    assert run.name == "001_2"
    assert judged_by(run) == ["quality"]


def test_the_same_labels_twice_are_a_sentence(answered, unplugged):
    train(answered, [], QUIET)
    for options in ({}, {"scratch": True}):
        with pytest.raises(UserError, match=r"runs/001 has learned from these labels already; answer more, .* --anew"):
            train(answered, [], QUIET, **options)
    # Also after another round was begun, of which nothing is answered yet.
    answered.ask([answered.rows(state="unlabeled")[0].id], "random", None, {})
    with pytest.raises(UserError, match="has learned from these labels already"):
        train(answered, [], QUIET)
    assert sorted(path.name for path in (answered.folder / "labels").iterdir()) == ["001"]
    again = train(answered, [], QUIET, anew=True)
    assert again.run.name == "002"
    assert resolved(again.run)["start_from"]["run"].endswith("runs/001")


def test_an_answer_that_was_amended_is_another_label(answered, unplugged):
    train(answered, [], QUIET)
    row = answered.rows(state="labeled")[0]
    answered.answer({row.id: "99.5"}, "page", amend=True)
    run = train(answered, [], QUIET).run
    assert run.name == "001_2"
    assert {r["path"]: r["score"] for r in read(answered.folder / "labels/001_2/labels.csv")}[row.path] == "99.5"


@pytest.fixture
def stopping(monkeypatch):
    """Makes training stop as by Ctrl-C after so many steps."""

    return lambda steps: stop_after(monkeypatch, steps)


def test_a_run_that_was_interrupted_goes_on(answered, stopping, monkeypatch):
    stopping(1)
    stopped = train(answered, [], QUIET)
    assert (stopped.stopped, stopped.run.name) == (True, "001")
    assert [one.trained for one in answered.rounds()] == [None, None]
    monkeypatch.undo()
    with pytest.raises(UserError, match="runs/001 was interrupted and goes on with the options it began with"):
        train(answered, ["steps=9"], QUIET)
    answered.ask(
        [answered.rows(state="unlabeled")[0].id], "random", None, {}
    )  # another round was begun meanwhile, without an answer
    done = train(answered, [], QUIET)
    assert (done.stopped, done.run, done.resumed) == (False, stopped.run, True)
    assert [one.trained for one in answered.rounds()] == [None, str(done.run.absolute()), None]
    steps = [json.loads(line)["step"] for line in (done.run / "metrics.jsonl").read_text().splitlines()]
    assert len(steps) == len(set(steps))
    assert steps[-1] == 3


def test_changes_hold_for_later_runs_until_they_are_given_anew_or_forgotten(answered, unplugged):
    def again(*changes, **options):
        answered.answer({answered.rows(state="unlabeled")[0].id: "7.0"}, "page")
        out = io.StringIO()
        run = train(Pool(answered.folder), changes, Talk(out), **options).run
        phase = resolved(run)["phases"][0]
        return resolved(run)["optimizer"]["lr"], phase["steps"], phase["epochs"], out.getvalue()

    with pytest.raises(UserError, match=r"optimizer\.lt"):
        train(answered, ["optimizer.lt=3"], QUIET)  # is not kept
    assert again("optimizer.lr=0.5", "steps=2") == (0.5, 2, None, "")
    *said, out = again("phases.train.epochs=4", "clock=labeled")
    assert said == [0.5, None, 4]
    assert "hold for this one too: optimizer.lr=0.5 steps=2 (--forget leaves them out)" in out
    assert again("steps=7")[:3] == (0.5, 7, None)  # the last one counts
    assert again(forget=True)[:3] == (0.001, 3, None)
    assert Pool(answered.folder).settings.changes == ()


def test_images_that_changed_meanwhile_begin_a_new_run(answered, stopping, monkeypatch, tmp_path):
    stopping(1)
    train(answered, [], QUIET)
    monkeypatch.undo()
    photos(tmp_path / "images", {answered.rows(state="labeled")[0].path: 99})
    out = io.StringIO()
    done = train(answered, [], Talk(out))
    assert (done.run.name, done.resumed) == ("001_2", False)
    assert "note: another run begins, as" in out.getvalue()
    assert "runs/001 cannot go on as it began, for data.labeled has other images of the same names" in out.getvalue()


def test_a_recipe_that_was_edited_meanwhile_is_a_sentence(answered, stopping, monkeypatch):
    stopping(1)
    train(answered, [], QUIET)
    monkeypatch.undo()
    recipe = answered.folder / "recipe.yaml"
    then = recipe.read_text()
    recipe.write_text(then.replace("lr: 0.001", "lr: 0.01"))
    with pytest.raises(UserError, match=r"recipe\.yaml was edited since .*runs/001 was interrupted, .* or --anew"):
        train(answered, [], QUIET)
    recipe.write_text(then)
    (answered.folder / "recipe.yaml.before").write_text("name: of an earlier version")
    assert train(answered, [], QUIET).resumed


def test_labels_that_changed_meanwhile_begin_a_new_run(answered, unplugged):
    started, stopped = unplugged
    stopped[0] = True
    train(answered, [], QUIET)
    row = answered.rows(state="unlabeled")[0]
    answered.answer({row.id: "7.0"}, "page")
    stopped[0] = False
    done = train(answered, [], QUIET)
    assert (done.run.name, done.resumed) == ("001_2", False)
    assert resolved(done.run)["start_from"] is None  # the interrupted run is none to start from
    assert started == ["001", "001_2"]


def test_a_run_that_is_done_but_was_not_noted_is_noted(answered, unplugged, monkeypatch):
    started, _ = unplugged

    def killed(self, number, run):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Pool, "trained", killed)
        with pytest.raises(KeyboardInterrupt):
            train(answered, [], QUIET)
    assert train(answered, [], QUIET).resumed
    assert started[1:] == ["resumed 001"]
    assert answered.rounds()[1].trained == str((answered.folder / "runs/001").absolute())


def test_a_run_that_cannot_begin_leaves_no_trail(answered):
    for _ in range(2):
        with pytest.raises(UserError, match="takes 40 images a step, its data have only 6"):
            train(answered, ["streams.labeled.batch_size=40"], QUIET)
        with pytest.raises(UserError, match="phases"):
            train(answered, ["phases.train.stps=1"], QUIET)
    assert not (answered.folder / "runs").exists()
    assert [path.name for path in (answered.folder / "labels").iterdir()] == ["001"]


def test_killed_while_labels_are_written_it_begins_again(answered, unplugged):
    half = answered.folder / "labels/001.partial"
    half.mkdir(parents=True)
    (half / "labels.csv").write_text("path,sc")
    assert train(answered, [], QUIET).run.name == "001"
    assert len(read(answered.folder / "labels/001/labels.csv")) == 6
    assert not half.exists()


def test_the_tenth_run_of_a_round_follows_the_ninth(answered, unplugged):
    for _ in range(11):
        name = train(answered, [], QUIET, anew=True).run.name
    assert name == "001_11"
    with pytest.raises(UserError, match="runs/001_11 has learned"):
        train(answered, [], QUIET)


def test_an_image_without_a_label_that_has_vanished_keeps_nothing_back(answered, tmp_path):
    gone = answered.rows(state="unlabeled")[0].path
    (tmp_path / "images" / gone).unlink()
    assert train(answered, ["steps=1"], QUIET).stopped is False
    assert gone not in {row["path"] for row in read(answered.folder / "labels/001/pool.csv")}


def test_nothing_to_learn_from_is_a_sentence(tmp_path):
    pool = set_up_in(tmp_path, test=2)
    with pytest.raises(UserError, match="no image of the pool has a label yet"):
        train(pool, [], QUIET)
    pool.answer({row.id: "1.0" for row in pool.rows(part="test")}, "page")
    with pytest.raises(UserError, match="no image of the pool has a label yet"):  # test images are not learned from
        train(pool, [], QUIET)
    (tmp_path / "other").mkdir()
    other = set_up_in(tmp_path / "other", VIEWS, takes="score")
    with pytest.raises(UserError, match="learns from no labels, so there is nothing to train"):
        train(other, [], QUIET)
    assert not Path(pool.folder, "labels").exists()


def test_labels_known_from_the_start_are_round_zero(tmp_path, unplugged):
    pool = set_up_in(tmp_path)
    pool.answer({row.id: "1.0" for row in pool.rows()[:5]}, "known.csv")
    assert train(pool, [], QUIET).run.name == "000"
    assert pool.rounds()[0].trained.endswith("runs/000")
