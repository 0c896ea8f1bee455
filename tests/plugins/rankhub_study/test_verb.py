"""A plan end to end: jobs in processes of their own, failures, interruption, table and figure."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.commands import call
from helpers.studies import jobs_of, write_plan

import rankhub
from rankhub_cli.main import execute
from rankhub_lock import locked
from rankhub_study.results import Results


def study(capsys, plan, cells, out, *options):
    return call(capsys, "study", plan, f"data.labeled.root={cells}", "--out", out, "--jobs", 2, *options)


def rows(out):
    with (out / "results.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, cells):
    """A plan with trials, measured in the middle too, and the folder in which it was done without a stop."""
    folder = tmp_path_factory.mktemp("study")
    trials = {"number": 2, "choose": "counting.mae", "budget": 0.5, "hold_out": {"data": "labeled", "share": 0.4}}
    methods = {
        "supervised": {"recipe": "counting_supervised", "sets": ["labels"]},
        "ranking": {"recipe": "counting_ranking", "sets": ["ranks"], "search": {}, "budget": {"steps": 10}},
        "finetune": {"recipe": "counting_supervised", "sets": ["labels"], "start_from": "ranking"},
    }
    plan = write_plan(
        folder,
        axes={"seed": [0]},
        methods=methods,
        budget={"steps": 40},
        trials={**trials, "search": {"optimizer.lr": [0.01]}},
        evaluate_at=[0.5],
        references=["before training"],
        metrics={"counting.mae": "MAE", "pooled": {"metric": "counting.mae", "folds": "pooled"}},
    )
    out = folder / "out"
    assert execute(["study", str(plan), f"data.labeled.root={cells}", "--out", str(out), "--jobs", "2"]) == 0
    return plan, out


def test_what_a_plan_has_done_and_that_it_is_not_repeated(capsys, whole, cells):
    plan, out = whole
    found = rows(out)
    assert {(row["method"], row["at"], row["forwards"]) for row in found} == {
        (name, at, forwards)
        for name, forwards in (("supervised", str(40 * 4)), ("finetune", str(30 * 4)))
        for at in ("0", "0.5", "1")
    }
    results = Results.read(jobs_of(plan, out).plan, out)
    own, pooled = (results.by_seed("supervised", column, (), 1.0) for column in ("counting.mae", "pooled"))
    assert pooled == {seed: pytest.approx(value, abs=1e-6) for seed, value in own.items()}
    jobs = jobs_of(plan, out, f"data.labeled.root={cells}").said()
    assert len(jobs) == 5 + 3
    for job in jobs:
        state = json.loads(max((job.folder / "checkpoints").glob("step_*/state.json")).read_text())
        assert (state["step"], state["facts"]["views"]) == (job.steps, job.forwards)
        begun = rankhub.load_run(job.folder).recipe.resolved()["start_from"]
        assert (begun and begun["run"]) == (job.start and str(job.start.folder))
    assert "| optimizer.lr | 0.0005 | 0.001 |" in (out / "overrides.md").read_text()
    assert (out / "trials.csv").read_text().count("\n") == 1 + 4
    assert "Settings by 2 trials a method, 50% of the length each, by counting.mae" in (out / "table.md").read_text()
    seen = {file: file.read_bytes() for file in (out / "table.md", out / "results.csv", out / "figure.png")}
    again = study(capsys, plan, cells, out)
    assert again.code == 0
    assert "8 jobs, 8 of them are there" in again.out
    for file in seen:
        file.unlink()
    assert call(capsys, "study", plan, "--out", out, "--table").code == 0, "of what is there, without data"
    assert {file: file.read_bytes() for file in seen} == seen


def test_a_dry_run_lists_jobs_and_trains_nothing(capsys, tmp_path, cells):
    plan = write_plan(tmp_path)
    said = study(capsys, plan, cells, tmp_path / "out", "--dry-run")
    assert said.code == 0, said.err
    assert "to do finetune, seed 1: 8 steps, 32 forwards" in said.out
    assert "6 jobs; about 0 min of training with 2 at a time" in said.out
    assert not (tmp_path / "out" / "runs").exists()


def test_a_job_that_fails_is_named_and_the_others_go_on(capsys, tmp_path, cells):
    wrong = {"recipe": "counting_supervised", "sets": ["labels"], "overrides": {"optimizer.lr": 1e30}}
    methods = {
        "supervised": {"recipe": "counting_supervised", "sets": ["labels"]},
        "wrong": {**wrong, "budget": {"steps": 4}},
        "after": {"recipe": "counting_supervised", "sets": ["labels"], "start_from": "wrong"},
    }
    plan, out = write_plan(tmp_path, methods=methods, axes={"seed": [0]}), tmp_path / "out"
    said = study(capsys, plan, cells, out)
    assert said.code == 1
    assert "wrong, seed 0 failed, the others go on:" in said.out
    assert "after, seed 0 failed, the others go on: what it starts from has failed: wrong, seed 0" in said.out
    assert "2 jobs have failed; the same command tries them again" in said.out
    assert {row["method"] for row in rows(out)} == {"supervised"}
    assert "1 of 3 jobs are there" in (out / "table.md").read_text()


def test_two_plans_at_once_in_one_folder_are_refused(capsys, tmp_path, cells):
    plan, out = write_plan(tmp_path), tmp_path / "out"
    with locked(out / "study.lock", sentence=""):
        said = study(capsys, plan, cells, out)
    assert said.code == 2
    assert "another `rankhub study` is at work in" in said.err


def begin(plan, cells, out):
    """The command in a process of its own, once a job is in its training."""
    line = [sys.executable, "-m", "rankhub", "study", plan, f"data.labeled.root={cells}", "--out", out, "--jobs", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(rankhub.__file__).parents[1])}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    until = time.monotonic() + 120
    while not any((file.parent / "checkpoints").is_dir() for file in out.glob("runs/*/*/metrics.jsonl")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


def running(out):
    """Processes that hold the lock of a job."""
    found = []
    for file in out.glob("runs/*/*.lock"):
        try:
            with locked(file, sentence="held"):
                pass
        except rankhub.UserError:
            found.append(file)
    return found


def test_stopped_by_ctrl_c_and_by_a_kill_it_goes_on_to_the_same_end(capsys, whole, tmp_path, cells):
    plan, out = whole[0], tmp_path / "out"
    process = begin(plan, cells, out)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert "Stopped; the same command goes on" in said
    assert "failed" not in said
    assert not running(out)
    begun = {file.parent for file in out.glob("runs/*/*/recipe.resolved.yaml")}
    assert any(not (folder / "study.json").is_file() for folder in begun)

    process = begin(plan, cells, out)
    process.kill()
    process.communicate(timeout=60)
    until = time.monotonic() + 30
    while running(out):
        assert time.monotonic() < until, "jobs outlive a study that was killed"
        time.sleep(0.1)

    assert study(capsys, plan, cells, out).code == 0
    assert {file.parent for file in out.glob("runs/*/*/recipe.resolved.yaml")} >= begun, "what was begun went on"
    told = [[(row["method"], row["at"], row["metric"], row["value"]) for row in rows(each)] for each in (out, whole[1])]
    assert told[0] == told[1], "as if it had never been stopped"
