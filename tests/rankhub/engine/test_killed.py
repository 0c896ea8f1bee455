"""A run that was killed at any moment ends as one that was not; and no second process works in its folder."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from helpers import fakes
from helpers.commands import call
from helpers.training import read_journal

import rankhub
import rankhub_guards
import rankhub_lock
import rankhub_train
from rankhub import Talk
from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint
from rankhub.engine.checkpoint import Best
from rankhub.interfaces.callback import Callback
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult

HARD = {
    "backbone": {"use": "flat", "norm": True, "dropout": 0.3},
    "average": {"decay": 0.9},
    "evaluate_every_epochs": 1,
    "keep_best": "spread",
}
REAL = fakes.Spread.__call__


class Killed(BaseException):
    """As a signal that nothing can catch."""


@pytest.fixture(autouse=True)
def discovered(monkeypatch):
    own = {"rankhub_guards": rankhub_guards, "rankhub_lock": rankhub_lock, "rankhub_train": rankhub_train}
    found = Catalog.of({"fakes": fakes, **own})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))


class Measured:
    """Evaluates with values of its own, and is killed once before that, at a row."""

    def __init__(self, values, kill_at=""):
        self.values, self.kill_at, self.rows = values, kill_at, []

    def __get__(self, evaluator, cls):
        return lambda source: self.measure(evaluator, source)

    def measure(self, evaluator, source):
        if source.row == self.kill_at:
            self.kill_at = ""
            raise Killed
        self.rows.append(source.row)
        result = REAL(evaluator, source)
        return EvaluationResult({"spread": self.values.get(source.row, 0.1)}, result.tables, result.pictures, [])


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def plain(value):
    """What a checkpoint holds, to be compared bit for bit."""
    if isinstance(value, torch.Tensor):
        return value.dtype, value.shape, value.numpy().tobytes()
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


def best(folder):
    (kept,) = (folder / "checkpoints").glob("best_step_*")
    return kept.name, plain(dataclasses.asdict(checkpoint.load(kept)))


VALUES = {"step 4": 0.5, "step 8": 0.9, "after training": 0.2}


def train(path, asked=None):
    callbacks = [] if asked is None else [asked]
    rankhub.train(rankhub.load_recipe(fakes.RECIPE, HARD), path, progress=False, callbacks=callbacks)


@pytest.mark.parametrize(
    ("moment", "step"),
    [(moment, step) for moment in ("before evaluation", "before it is kept") for step in (4, 8)]
    + [("before the old one goes", 8)],
)
def test_the_checkpoint_that_is_kept_is_that_of_an_uninterrupted_run(tmp_path, monkeypatch, moment, step):
    monkeypatch.setattr(fakes.Spread, "__call__", Measured(VALUES))
    train(tmp_path / "whole")
    assert best(tmp_path / "whole")[0] == "best_step_000000008"
    measured = Measured(VALUES, f"step {step}" if moment == "before evaluation" else "")
    monkeypatch.setattr(fakes.Spread, "__call__", measured)
    save, remove = Best.save, shutil.rmtree

    def kept(self, state, results):
        if moment == "before it is kept" and state.step == step:
            raise Killed
        save(self, state, results)

    def removed(path, **options):
        if moment == "before the old one goes" and path.name.startswith("best_step_") and not options:
            raise Killed
        remove(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Best, "save", kept)
        patched.setattr(shutil, "rmtree", removed)
        with pytest.raises(Killed):
            train(tmp_path / "cut")
    rankhub.resume(tmp_path / "cut", progress=False)
    assert best(tmp_path / "cut") == best(tmp_path / "whole")
    assert measured.rows == ["raw pixels", "before training", "step 4", "step 8", "after training"]
    for row in (tmp_path / "whole" / "evaluation").iterdir():
        assert content(tmp_path / "cut" / "evaluation" / row.name) == content(row)
    last = "checkpoints/step_000000012"
    assert content(tmp_path / "cut" / last) == content(tmp_path / "whole" / last)


class AtFive(Callback):
    """Asks for an evaluation in the middle of an epoch, at a step with a checkpoint."""

    def step_logged(self, step, values):
        return "evaluate" if step == 5 else None


def test_an_evaluation_that_a_callback_asked_for_is_done_too(tmp_path, monkeypatch):
    measured = Measured({"step 5": 0.95}, "step 5")
    monkeypatch.setattr(fakes.Spread, "__call__", measured)
    with pytest.raises(Killed):
        train(tmp_path / "run", AtFive())
    rankhub.resume(tmp_path / "run", progress=False, callbacks=[AtFive()])
    assert best(tmp_path / "run")[0] == "best_step_000000005"
    assert measured.rows.count("step 5") == 1


def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_the_end_is_the_same(tmp_path):
    train(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "hit")
    last = tmp_path / "hit" / "checkpoints" / "step_000000012"
    broken = bytearray((last / "average.safetensors").read_bytes())
    broken[-1] ^= 64
    (last / "average.safetensors").write_bytes(broken)
    with rankhub.load_run(tmp_path / "hit") as run:
        assert run.weights.parent.name == "step_000000010"
    out = io.StringIO()
    rankhub.resume(tmp_path / "hit", progress=Talk(out))
    assert "goes on after step 10" in out.getvalue()
    for name, expected in content(tmp_path / "whole" / "checkpoints" / "step_000000012").items():
        assert (last / name).read_bytes() == expected, name
    assert [line["step"] for line in read_journal(tmp_path / "hit" / "metrics.jsonl")] == list(range(1, 13))


def test_a_torn_line_is_said_by_the_run_that_goes_on(tmp_path):
    train(tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 13, "lo')
    out = io.StringIO()
    rankhub.resume(tmp_path / "run", progress=Talk(out))
    assert "metrics.jsonl: what was cut short, or is no line of a run, is dropped" in out.getvalue()


SLOW = """
import sys, time
sys.path[:0] = sys.argv[2:]
import rankhub, rankhub_guards, rankhub_lock, rankhub_train
from helpers import fakes
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback
own = {"rankhub_guards": rankhub_guards, "rankhub_lock": rankhub_lock, "rankhub_train": rankhub_train}
found = Catalog.of({"fakes": fakes, **own})
Catalog.discover = classmethod(lambda cls: found)
class Slow(Callback):
    def step_logged(self, step, values):
        time.sleep(60 * (step == 2))
recipe = rankhub.load_recipe(fakes.RECIPE, {"checkpoint.every_steps": 1})
rankhub.train(recipe, sys.argv[1], progress=False, callbacks=[Slow()])
"""


def test_of_two_that_go_on_with_a_run_the_second_is_refused_and_a_killed_one_needs_no_hand(tmp_path, capsys):
    path = tmp_path / "run"
    paths = [str(Path(rankhub.__file__).parents[1]), str(Path(fakes.__file__).parents[1])]
    first = subprocess.Popen([sys.executable, "-c", SLOW, str(path), *paths])
    while not list(path.glob("checkpoints/step_*[0-9]")):
        assert first.poll() is None
        time.sleep(0.02)
    lines = (path / "metrics.jsonl").read_text()
    done = call(capsys, "run", "--resume", path)
    assert done.code == 2
    assert f"another process trains the run {path}; let it end, or stop it (process {first.pid} on " in done.err
    assert (path / "metrics.jsonl").read_text().startswith(lines)
    with rankhub.load_run(path) as run:  # to read it needs no lock
        assert run.weights.is_file()
    begun = rankhub.train(
        rankhub.load_recipe(fakes.RECIPE, {"start_from.run": str(path)}), tmp_path / "other", progress=False
    )
    assert not begun.stopped
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert json.loads((path / "running.json").read_text())["pid"] == first.pid
    assert not rankhub.resume(path, progress=False).stopped
    assert [line["step"] for line in read_journal(path / "metrics.jsonl")] == list(range(1, 13))
    assert not (path / "running.json").exists()


@pytest.mark.parametrize("missing", [["start.json"], ["start.json", "labels.json"]])
def test_killed_before_its_folder_was_whole_a_run_begins_again(tmp_path, missing):
    train(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for name in ["checkpoints", "evaluation"]:
        shutil.rmtree(tmp_path / "cut" / name)
    for name in ["metrics.jsonl", *missing]:
        (tmp_path / "cut" / name).unlink()
    out = io.StringIO()
    rankhub.resume(tmp_path / "cut", progress=Talk(out))
    assert "has no checkpoint yet and begins again" in out.getvalue()
    assert "earlier version" not in out.getvalue()
    last = "checkpoints/step_000000012"
    assert content(tmp_path / "cut" / last) == content(tmp_path / "whole" / last)
    for name in missing:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_run_that_begins_holds_its_folder_too(tmp_path):
    seen = []

    class Look(Callback):
        def step_logged(self, step, values):
            with pytest.raises(UserError, match="another process trains the run"):
                rankhub.resume(tmp_path / "run", progress=False)
            seen.append(step)

    train(tmp_path / "run", Look())
    assert len(seen) == 12
