"""Runs on several processes, through the launcher and the command line as a user starts them."""

import csv
import os
import shutil
import signal
import sys
import time

import pytest
import torch
import yaml
from helpers import fakes
from helpers.launched import forked, launch, process_of_rank, steps_of, wait_for_step
from safetensors.torch import load_file

from rankhub.engine import checkpoint
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.processes import Processes
from rankhub_lock import locked
from rankhub_torchrun import rankhub_processes
from rankhub_torchrun.group import TorchProcesses

ENDS_WITHIN = 30


def write_recipe(folder, steps=24, **loss):
    """The fake recipe with a loss of the whole batch and a teacher."""
    recipe = yaml.safe_load(fakes.RECIPE)
    phase = recipe["phases"][0]
    del phase["epochs"]
    phase["steps"] = steps
    recipe["streams"]["views"]["objectives"] = [{"use": "stumble", "head": "main", **loss}]
    recipe |= {"average": {"decay": 0.9, "use_for": ["teacher"]}, "evaluate_every_epochs": 2, "keep_best": "spread"}
    recipe["data"]["test"]["count"] = 9  # one process evaluates an image more than the other
    recipe["evaluate"].append({"use": "spread", "data": "train", "labeled": True})
    path = folder / "fake.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def end(started, seconds=120):
    """What a launched run has said, and its exit code."""
    said = started.communicate(timeout=seconds)[0]
    return started.returncode, said


def test_two_processes_do_what_one_does(tmp_path):
    recipe = write_recipe(tmp_path)
    said = {}
    for count in (1, 2):
        code, said[count] = forked(count, "run", recipe, "--out", tmp_path / f"run{count}", cwd=tmp_path)
        assert code == 0, said[count]
    one, two = tmp_path / "run1", tmp_path / "run2"
    assert steps_of(two) == steps_of(one) == list(range(1, 25))
    for text in ("Trained 24 steps, 288 views.", "Run folder:", "Best spread spread", "6 images x 2 = 12 views a step"):
        assert said[2].count(text) == said[1].count(text) == 1, text
    for path in sorted(one.rglob("*")):  # every file is there, and written once
        if "tensorboard" not in path.parts:
            assert (two / path.relative_to(one)).exists(), path
    with (one / "results.csv").open() as first, (two / "results.csv").open() as second:
        for ours, theirs in zip(csv.DictReader(first), csv.DictReader(second), strict=True):
            assert ours.pop("") == theirs.pop("")
            assert {k: float(v) for k, v in theirs.items()} == pytest.approx(
                {k: float(v) for k, v in ours.items()}, 1e-4
            )
    for name in ("spread_rows.csv", "spread_2_rows.csv"):  # each image once and in its place
        with (one / "evaluation/after_training" / name).open() as first:
            ours = [float(row["norm"]) for row in csv.DictReader(first)]
        with (two / "evaluation/after_training" / name).open() as second:
            assert [float(row["norm"]) for row in csv.DictReader(second)] == pytest.approx(ours, 1e-4)
    last = "checkpoints/step_000000024/model.safetensors"
    weights, others = load_file(one / last), load_file(two / last)
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-4, atol=1e-5)


def test_three_processes_that_go_on_do_what_they_would_have_done(tmp_path):
    recipe, whole, cut = write_recipe(tmp_path, steps=12), tmp_path / "whole", tmp_path / "cut"
    code, said = forked(3, "run", recipe, "checkpoint.keep=9", "--out", whole, cwd=tmp_path)
    assert code == 0, said
    shutil.copytree(whole, cut)
    for late in checkpoint.Checkpoints(cut / "checkpoints", 9).all()[1:]:
        shutil.rmtree(late)
    code, said = forked(3, "run", "--resume", cut, cwd=tmp_path)
    assert code == 0, said
    assert "goes on after step" in said
    last = "checkpoints/step_000000012/model.safetensors"
    weights, others = load_file(whole / last), load_file(cut / last)
    assert all(torch.equal(value, others[name]) for name, value in weights.items())


def test_a_process_is_killed_and_the_run_goes_on_with_one(tmp_path):
    recipe, folder = write_recipe(tmp_path, steps=60, seconds=0.05), tmp_path / "run"
    started = launch(2, "run", recipe, "--out", folder, cwd=tmp_path)
    wait_for_step(folder, 12, started)
    os.kill(process_of_rank(started.pid, 1), signal.SIGKILL)
    since = time.monotonic()
    code, said = end(started)
    assert time.monotonic() - since < ENDS_WITHIN
    assert code != 0
    root = said[said.index("Root Cause") :]
    assert "rank      : 1" in root, said
    assert "SIGKILL" in root
    assert "process 0: ends because another process is gone" in said
    assert len(steps_of(folder)) < 60
    code, said = end(launch(1, "run", "--resume", folder, cwd=tmp_path))
    assert code == 0, said
    assert "goes on after step" in said
    assert steps_of(folder) == list(range(1, 61))
    assert (folder / "results.csv").exists()


def test_a_component_that_fails_in_one_process_is_named_and_ends_the_run(tmp_path):
    recipe, folder = write_recipe(tmp_path, process=1, at=0.3), tmp_path / "run"
    since = time.monotonic()
    code, said = end(launch(2, "run", recipe, "--out", folder, cwd=tmp_path))
    assert code != 0
    assert "ZeroDivisionError: stumbled over a stone" in said
    assert "tell its author (RANKHUB_TRACEBACK=1 shows the traceback)" in said
    assert said.count("Traceback (most recent call last)") == 1, said  # the launcher's
    assert "rank      : 1" in said[said.index("Root Cause") :]
    assert "exitcode  : -15" in said, "the other waits for the launcher's SIGTERM, and no longer"
    assert time.monotonic() - since < 60  # start included
    assert 0 < len(steps_of(folder)) < 24


def test_what_the_user_can_mend_is_said_once(tmp_path):
    recipe = write_recipe(tmp_path)
    code, said = forked(2, "run", recipe, "streams.views.batch_size=5", "--out", tmp_path / "run", cwd=tmp_path)
    assert code != 0
    assert (
        said.count("5 images a step, which 2 processes cannot share equally; streams.views.batch_size=4 would do") == 1
    )


def test_ctrl_c_stops_all_with_a_checkpoint(tmp_path):
    recipe, folder = write_recipe(tmp_path, steps=400, seconds=0.05), tmp_path / "run"
    started = launch(2, "run", recipe, "checkpoint.every_steps=null", "--out", folder, cwd=tmp_path)
    wait_for_step(folder, 6, started)
    started.send_signal(signal.SIGINT)
    code, said = end(started)
    assert code != 0
    assert "Go on with: rankhub run --resume" in said
    last = checkpoint.Checkpoints(folder / "checkpoints", 2).last()
    assert last is not None
    assert checkpoint.load(last).step == steps_of(folder)[-1]


def test_what_has_changed_and_who_trains_is_said_once_by_all_processes(tmp_path):
    recipe, folder = write_recipe(tmp_path, steps=8), tmp_path / "run"
    code, said = forked(1, "run", recipe, "--out", folder, cwd=tmp_path)
    assert code == 0, said
    assert not (folder / "running.json").exists()
    start = (folder / "start.json").read_text()
    (folder / "start.json").write_text(start.replace('"images": 9', '"images": 8'))
    code, said = forked(2, "run", "--resume", folder, cwd=tmp_path)
    assert code != 0
    assert said.count("cannot go on as it began, for data.test had 8 images and has 9;") == 1, said
    code, said = forked(2, "run", "--resume", folder, "--allow-changes", cwd=tmp_path)
    assert code == 0, said
    assert said.count("after training *: went on after step 8 though data.test had 8 images and has 9") == 1, said
    with locked(folder / "running.json", sentence=""):
        code, said = forked(2, "run", "--resume", folder, cwd=tmp_path)
    assert code != 0
    assert said.count(f"another process trains the run {folder}") == 1, said


@pytest.mark.parametrize(("count", "items"), [(2, 8), (3, 8), (4, 3), (1, 5)])
def test_shares_cover_all_once_and_in_order(count, items):
    shares = [range(items)[Processes(rank, count, rank).share(items)] for rank in range(count)]
    assert [item for share in shares for item in share] == list(range(items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_launcher_s_variables(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert rankhub_processes() is None
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert rankhub_processes() is None
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    with pytest.raises(UserError, match="WORLD_SIZE is set but not LOCAL_RANK"):
        rankhub_processes()
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert rankhub_processes() == TorchProcesses(3, 4, 1)


if not sys.platform.startswith("linux"):
    pytest.skip("finds processes through /proc", allow_module_level=True)
