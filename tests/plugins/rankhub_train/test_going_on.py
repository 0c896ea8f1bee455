"""`rankhub run RECIPE --out FOLDER --resume auto`: one call begins a run, goes on with it, or says it is finished."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from helpers.commands import call
from safetensors.torch import load_file

from rankhub.interfaces.processes import Processes
from rankhub_lock import lock, locked
from rankhub_train import going_on, together

RECIPE = """
name: tiny
data:
  photos: {use: placed_digits, part: train, size: 16}
  test: {like: photos, part: test}
backbone: {use: timm, model: test_resnet, stem: small}
heads: {embedding: {use: projection, dim: 4}}
optimizer: {use: adamw, lr: 2.0e-3}
streams:
  views:
    data: photos
    batch_size: 4
    generator: [{use: random_views, views: 2, size: 12}]
    objectives: [{use: smooth_ap, head: embedding}]
steps: 6
predict: {use: center, size: 12}
evaluate: []
checkpoint: {every_epochs: null, every_steps: 2, keep: 9}
threads: 1
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the recipe and a run of it that is finished."""
    folder = tmp_path_factory.mktemp("auto")
    (folder / "tiny.yaml").write_text(RECIPE)
    return folder


@pytest.fixture
def auto(finished, tmp_path, monkeypatch, capsys):
    """Calls it in a folder of its own, with a copy of the finished run in it if that is there already."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(finished / "tiny.yaml", tmp_path)
    run = ("run", "tiny.yaml", "--out", "run", "--resume", "auto")
    if not (finished / "run").exists():
        begun = call(capsys, *run)
        assert begun.code == 0, begun.err
        assert "Trained 6 steps" in begun.out
        shutil.copytree(tmp_path / "run", finished / "run")
    else:
        shutil.copytree(finished / "run", tmp_path / "run")
    return lambda *more: call(capsys, *run, *more)


def steps(folder):
    return [json.loads(line)["step"] for line in (folder / "run/metrics.jsonl").read_text().splitlines()]


def cut(folder, step):
    """As if the run had been killed soon after a step."""
    for checkpoint in (folder / "run/checkpoints").glob("step_*"):
        if int(checkpoint.name[5:]) > step:
            shutil.rmtree(checkpoint)
    (folder / "run/progress.json").write_text('{"state": "training", "step": 4, "steps": 6}')


def test_a_finished_run_says_so(auto, tmp_path):
    weights = (tmp_path / "run/checkpoints/step_000000006/model.safetensors").stat()
    said = auto()
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("The run run is finished; there is nothing to do.")
    assert (tmp_path / "run/checkpoints/step_000000006/model.safetensors").stat() == weights


def test_an_interrupted_run_goes_on_each_step_once(auto, finished, tmp_path):
    cut(tmp_path, 2)
    said = auto()
    assert said.code == 0, said.err
    assert "goes on after step 2" in said.out
    assert steps(tmp_path) == list(range(1, 7))
    last = "run/checkpoints/step_000000006/model.safetensors"
    weights, others = load_file(finished / last), load_file(tmp_path / last)
    assert all(torch.equal(value, others[name]) for name, value in weights.items())


def test_a_checkpoint_that_cannot_be_read_is_passed_over_and_said(auto, tmp_path, caplog):
    cut(tmp_path, 4)
    with (tmp_path / "run/checkpoints/step_000000004/model.safetensors").open("ab") as file:
        file.write(b"x")
    said = auto()
    assert said.code == 0, said.err
    assert "goes on after step 2" in said.out
    assert "it is set aside as step_000000004.damaged" in said.out + said.err + caplog.text
    assert steps(tmp_path) == list(range(1, 7))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["optimizer.lr=0.5"], "holds a run of another recipe: optimizer.lr is 0.002 there and 0.5 here; name another"),
        (["steps=8", "seed=3"], "holds a run of another recipe: seed is 0 there and 3 here; phases.0.steps is 6 there"),
    ],
)
def test_a_run_of_another_recipe_is_refused(auto, tmp_path, changes, sentence):
    before = {path: path.read_bytes() for path in sorted((tmp_path / "run").rglob("*")) if path.is_file()}
    said = auto(*changes)
    assert said.code == 2
    assert sentence in said.err
    assert {path: path.read_bytes() for path in sorted((tmp_path / "run").rglob("*")) if path.is_file()} == before


def test_what_a_start_that_was_killed_has_left_is_no_run(auto, tmp_path):
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    for name, text in (("recipe.yaml", "cut"), ("lock.json", "cut"), ("running.json", "")):
        (tmp_path / "run" / name).write_text(text)
    said = auto()
    assert said.code == 0, said.err
    assert "goes on" not in said.out
    assert steps(tmp_path) == list(range(1, 7))


def test_what_is_no_run_is_refused(auto, tmp_path):
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/thesis.txt").write_text("mine")
    said = auto()
    assert said.code == 2
    assert "--out run holds no run but other things, such as thesis.txt; name another folder" in said.err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").write_text("mine")
    assert "--out run is a file; name a folder" in auto().err


def test_a_run_that_another_process_trains_is_refused(auto, tmp_path):
    cut(tmp_path, 2)
    with locked(tmp_path / "run/running.json", sentence=""):
        said = auto()
    assert said.code == 2
    assert "another process trains the run run" in said.err
    assert steps(tmp_path) == list(range(1, 7))


def test_a_launcher_waits_for_what_it_has_lost(tmp_path, monkeypatch):
    """And nobody else does."""
    import rankhub_lock

    asked = []
    monkeypatch.setattr(rankhub_lock, "locked", lambda file, sentence, patience: asked.append(patience))
    monkeypatch.delenv(rankhub_lock.LAUNCHED, raising=False)
    rankhub_lock.rankhub_around_run(tmp_path)
    monkeypatch.setenv(rankhub_lock.LAUNCHED, "1")
    rankhub_lock.rankhub_around_run(tmp_path)
    assert asked == [0.0, rankhub_lock.PATIENCE]
    assert lock.HEARTBEAT < rankhub_lock.PATIENCE


@pytest.mark.parametrize("arguments", [["tiny.yaml"], ["--out", "x"], ["tiny.yaml", "--out", "x", "--dry-run"]])
def test_what_it_takes(arguments, capsys):
    said = call(capsys, "run", *arguments, "--resume", "auto")
    assert said.code == 2
    assert "--resume auto takes a recipe and --out FOLDER" in said.err


class Pair(Processes):
    """One of two, of which the other one sees a folder that is always ``behind``."""

    def from_first(self, value):
        return self.__class__.told if self.rank else value

    def any(self, flags):
        return [self.__class__.behind or flag for flag in flags]


@pytest.mark.parametrize("behind", [True, False])
def test_processes_that_see_different_folders_say_so(tmp_path, monkeypatch, behind):
    slept = []
    monkeypatch.setattr(going_on.time, "sleep", slept.append)
    Pair.behind = behind
    if not behind:
        return going_on._seen_by_all(Pair(0, 2), tmp_path)
    with pytest.raises(going_on.UserError, match="is not the same for all processes; name a folder on a disk"):
        going_on._seen_by_all(Pair(0, 2), tmp_path)
    assert sum(slept) == going_on.SHARED_WITHIN - 1
    return None


def test_what_the_first_process_cannot_do_all_say():
    Pair.told = (None, "the shoe is untied; tie it")
    with pytest.raises(together.UserError, match="the shoe is untied; tie it"):
        together.by_first(Pair(1, 2), lambda: pytest.fail("only the first process does it"))
    Pair.told = (3, "")
    assert together.by_first(Pair(1, 2), lambda: pytest.fail("only the first process does it")) == 3
    assert together.by_first(Pair(0, 2), lambda: 4) == 4
