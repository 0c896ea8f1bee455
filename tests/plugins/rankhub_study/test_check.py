"""What is wrong with a plan is said before any job: all at once, each with its line and the nearest name."""

from __future__ import annotations

import re

import pytest
from helpers.commands import call
from helpers.studies import PLAN, jobs_of, write_plan

from rankhub_study.check import check
from rankhub_study.plan import read_plan
from rankhub_study.verb import shipped_plans


def said(capsys, tmp_path, cells, text):
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    done = call(capsys, "study", file, f"data.labeled.root={cells}", "--out", tmp_path / "out", "--dry-run")
    assert not (tmp_path / "out" / "runs").exists()
    return done


def line_of(text, part):
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("budget: {steps: 12}", "budgte: {steps: 12}", "unknown key 'budgte'; did you mean 'budget'?"),
        ("budget: {steps: 12}", "budget: {steps: 12, seconds: 5}", "a budget is one of `steps`, `forwards`"),
        ("  seed: [0, 1]", "  seed: {low: 1}", "give `values`, or a range from `low` to `high`"),
        ("  seed: [0, 1]", "  seed: [0, 0]", "axes.seed: a value stands in it twice"),
        ("  seed: [0, 1]", "  speed: [0, 1]", "unknown key 'speed'; did you mean 'seed'?"),
        ("start_from: ranking", "start_from: rankings", "no method is called 'rankings'; did you mean 'ranking'?"),
        ("sets: [labels], start", "sets: [label], start", "finetune.sets.0: no set is called 'label'; did you mean"),
        ("baseline: supervised", "baseline: superwised", "no method is called 'superwised'; did you mean"),
        ("recipe: counting_ranking", "recipe: counting_rankin", "did you mean 'counting_ranking'? (method ranking)"),
        ("batch_size: 2", "batch_sizes: 2", "did you mean 'batch_size'? (methods supervised, finetune)"),
        ("stride: 8", "stride: tall", "backbone.stride: got \"tall\"; expected a whole number"),
        ("  counting.mae: MAE", "  count.mae: MAE", "count.mae is no EVALUATOR.METRIC of the recipes; did you mean"),
        ("title: RMSE", "folds: pooled, metric: counting.bias", "bias cannot be pooled over folds"),
        ("held_out: 6}", "held_out: 6, folds: 3}", "`part: train` of 3 folds needs `fold`, the one that is held out"),
    ],
)  # fmt: skip
def test_a_sentence_with_its_line(capsys, tmp_path, cells, old, new, sentence):
    text = PLAN.lstrip().replace(old, new)
    assert text != PLAN.lstrip()
    done = said(capsys, tmp_path, cells, text)
    assert done.code == 2
    assert sentence in done.err
    assert f"plan.yaml:{line_of(text, new.strip().splitlines()[0])}" in done.err


def test_all_is_said_at_once(capsys, tmp_path, cells):
    text = (
        PLAN.lstrip()
        .replace("optimizer.lr", "optimizer.rl")
        .replace("smallest: 24", "smalest: 24")
        .replace("crops: 3", "crops: 0")
    )
    done = said(capsys, tmp_path, cells, text)
    assert done.code == 2
    assert "3 errors" in done.err
    for word in ("optimizer.rl", "smalest", "crops"):
        assert f"plan.yaml:{line_of(text, word)}" in done.err


def test_overrides_of_the_command_line_are_checked_too(capsys, tmp_path, cells):
    plan = write_plan(tmp_path)
    for override, sentence in (
        ("data.labelled.root=x", "data.labelled.root=x: no method's recipe has this data set"),
        ("optimizer.lr=fast", "override 'optimizer.lr=fast'"),
        (f"data.labeled.root={tmp_path / 'nowhere'}", f"there is no folder {tmp_path / 'nowhere'}"),
    ):
        done = call(capsys, "study", plan, f"data.labeled.root={cells}", override, "--dry-run")
        assert done.code == 2
        assert sentence in done.err


def test_where_data_are_missing_the_plan_says_what_must_lie_where(capsys, tmp_path, cells):
    plan = write_plan(tmp_path, layout="give data.labeled.root=CELLS, images with dots beside each")
    done = call(capsys, "study", plan, f"data.labeled.root={tmp_path / 'nowhere'}", "--dry-run")
    assert done.code == 2
    assert "layout: give data.labeled.root=CELLS, images with dots beside each" in done.err
    done = call(capsys, "study", plan, f"data.labeled.root={cells}", "optimizer.rl=1", "--dry-run")
    assert done.code == 2
    assert "layout" not in done.err


def test_plans_whose_data_are_given_on_the_command_line_say_their_layout():
    for name, file in shipped_plans().items():
        words = " ".join(re.findall(r"^# +(rankhub study .*?)(?: --out|  |$)", file.read_text(), re.MULTILINE))
        roots = re.findall(r"data\.[\w.]+\.root=[A-Z/a-z]+", words)
        layout = read_plan(file)[0].layout
        assert [root for root in roots if root not in layout] == [], name


def test_trials_on_test_data_are_refused(capsys, tmp_path, cells):
    trials = {"number": 2, "choose": "counting.mae", "search": {"optimizer.lr": [0.1]}}
    ranking = {"recipe": "counting_ranking", "sets": ["ranks"], "search": {}}
    supervised = {"recipe": "counting_supervised", "sets": ["labels"]}
    plan = write_plan(tmp_path, trials=trials, methods={"supervised": supervised, "ranking": ranking})
    done = call(capsys, "study", plan, f"data.labeled.root={cells}", "--dry-run")
    assert done.code == 2
    assert "its trials would use data.test, which is what final jobs are tested on (data.test)" in done.err
    trials["overrides"] = {"data.test": {"like": "labeled", "part": "train", "labels": None}}
    write_plan(tmp_path, trials=trials, methods={"supervised": supervised, "ranking": ranking})
    check(jobs_of(plan, tmp_path / "out", f"data.labeled.root={cells}"))


def test_what_chooses_must_be_measured(capsys, tmp_path, cells):
    trials = {"number": 2, "choose": "counting.mae", "search": {"optimizer.lr": [0.1]}, "hold_out": {"data": "labeled"}}
    plan = write_plan(tmp_path, trials=trials)
    done = call(capsys, "study", plan, f"data.labeled.root={cells}", "--dry-run")
    assert done.code == 2
    assert "its recipe does not measure counting.mae, by which settings are chosen; it has ranking_accuracy" in done.err


def test_an_unknown_plan_is_named(capsys):
    done = call(capsys, "study", "cels")
    assert done.code == 2
    assert "no plan that comes along is called 'cels'; did you mean 'cells'?" in done.err
    assert "cells" in call(capsys, "study").out
