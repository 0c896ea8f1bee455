"""A whole run on the fakes: what it writes, what it says, how it ends."""

import csv
import dataclasses
import io
import json

import pytest
import torch
import yaml
from helpers import fakes
from helpers.commands import call
from helpers.recipes import load_text
from helpers.training import catalog, parts_of, read_journal, recipe
from rich.console import Console

from rankhub.catalog.catalog import Catalog
from rankhub.engine import checkpoint, report
from rankhub.engine import run as engine
from rankhub.engine.checkpoint import Best
from rankhub.engine.folder import resolved_recipe
from rankhub.engine.watch import Watchers
from rankhub.interfaces.callback import Callback
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult
from rankhub.recipe.load import load_recipe
from rankhub.recipe.reader import write_value
from rankhub_console.terminal import Terminal


def loaded(**changes):
    """The fake recipe with top-level entries changed by overrides."""
    return load_text(fakes.RECIPE, [f"{path}={write_value(value)}" for path, value in changes.items()], catalog())


def host(terminal=False):
    """What surrounds a run, and where it speaks."""
    out = io.StringIO()
    talk = Terminal(Console(file=out, width=200, force_terminal=terminal, color_system=None))
    return engine.Host(catalog(), talk), out


def start(folder, terminal=False, **changes):
    surroundings, out = host(terminal)
    ended = engine.start(loaded(**changes), surroundings, folder)
    assert ended.folder == folder
    assert not ended.signal
    return ended.status, out.getvalue()


def test_the_folder_holds_all_that_was_promised(tmp_path):
    status, said = start(tmp_path / "run", seed=0)
    folder = tmp_path / "run"
    assert status == "done"
    assert (folder / "recipe.yaml").read_text() == fakes.RECIPE
    assert yaml.safe_load((folder / "recipe.resolved.yaml").read_text())["name"] == "fake"
    lock = json.loads((folder / "lock.json").read_text())
    assert lock["overrides"] == ["seed=0"]
    assert lock["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert "fakes" in lock["plugins"]
    assert (folder / "checkpoints" / "step_000000012" / "model.safetensors").exists()
    assert [line["step"] for line in read_journal(folder / "metrics.jsonl")] == list(range(1, 13))
    assert (folder / "data" / "train_made.csv").exists()
    assert (folder / "evaluation" / "after_training" / "spread_black.png").exists()
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row[""] for row in rows] == ["raw pixels", "before training", "after training"]
    assert float(rows[2]["spread spread"]) > 0
    assert "Run folder" in said
    assert "patches are made up" in said


def test_it_says_before_what_it_will_do(tmp_path, monkeypatch, capsys):
    found = catalog()
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "fake.yaml"
    file.write_text(fakes.RECIPE)
    called = call(capsys, "run", file, "--out", tmp_path / "run", "--dry-run")
    assert called.code == 0
    said = called.out
    assert "6 images x 2 = 12 views a step" in said
    assert "12 steps (3 epochs of 4)" in said
    assert "expected" in said
    assert "Dry run" in said
    assert list(tmp_path.iterdir()) == [file]


def test_a_trial_step_changes_nothing(tmp_path):
    from rankhub_train.cost import trial_cost

    parts = parts_of(recipe(backbone={"use": "flat", "dropout": 0.5}))
    before = {name: value.clone() for name, value in parts.network.state_dict().items()}
    torch.manual_seed(1)
    cost = trial_cost(parts, 0)
    after_trial = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after_trial, torch.rand(1))
    assert all(torch.equal(before[name], value) for name, value in parts.network.state_dict().items())
    # Activations of 12 views of 8 x 8 with 8 channels are the least that the backward pass needs.
    assert cost.memory > 12 * 8 * 8 * 8 * 4
    assert cost.seconds > 0


def test_nothing_is_overwritten(tmp_path):
    start(tmp_path / "run")
    with pytest.raises(UserError, match="overwrites nothing"):
        start(tmp_path / "run")


def test_default_folders_of_one_second_differ(tmp_path, monkeypatch):
    from rankhub.engine.folder import new_folder

    monkeypatch.chdir(tmp_path)
    folders = {new_folder("fake", None) for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.parts[:2] == ("runs", "fake") for folder in folders)


def test_a_callback_can_stop_a_run(tmp_path):
    status, said = start(tmp_path / "run", callbacks=[{"use": "stopper", "after": 7}])
    assert status == "stopped"
    assert "rankhub run --resume" in said
    assert (tmp_path / "run" / "checkpoints" / "step_000000007").is_dir()


def test_optional_evaluators_without_labels_are_left_out(tmp_path):
    data = {"train": {"use": "patches"}, "test": {"use": "patches", "labeled": False}}
    evaluate = [
        {"use": "spread", "data": "test", "labeled": True, "optional": True},
        {"use": "spread", "data": "test"},
    ]
    best = {"evaluate_every_epochs": 1, "keep_best": "spread"}  # it goes with its evaluator
    _, said = start(tmp_path / "run", data=data, evaluate=evaluate, **best)
    assert "spread is left out: data set 'test' has no labels" in said
    assert "Best" not in said
    with (tmp_path / "run" / "results.csv").open() as file:  # the other keeps the label that is its address
        assert next(csv.reader(file)) == ["", "spread_2 spread"]


def test_evaluation_during_training(tmp_path):
    _, said = start(tmp_path / "run", evaluate_every_epochs=1)
    assert "step 4" in said
    assert "step 8" in said
    assert (tmp_path / "run" / "evaluation" / "step_4" / "metrics.json").exists()


def test_an_evaluation_in_between_changes_no_weight(tmp_path):
    from safetensors.torch import load_file

    hard = {"backbone": {"use": "flat", "norm": True, "dropout": 0.3}, "average": {"decay": 0.9}}
    start(tmp_path / "plain", **hard)
    start(tmp_path / "evaluated", evaluate_every_epochs=1, **hard)
    plain, other = (
        load_file(tmp_path / name / "checkpoints" / "step_000000012" / "model.safetensors")
        for name in ("plain", "evaluated")
    )
    assert all(torch.equal(plain[key], other[key]) for key in plain)


def test_progress_on_a_terminal_is_a_bar(tmp_path):
    _, said = start(tmp_path / "run", terminal=True)
    assert "first epoch" in said


def test_a_callback_that_fails_is_left_out(caplog):
    class Bad(Callback):
        def step_logged(self, step, values):
            raise RuntimeError("boom")

    class Good(Callback):
        def step_logged(self, step, values):
            return "save"

    watchers = Watchers([Bad(), Good()])
    watchers.tell(lambda callback: callback.step_logged(1, {}))
    assert [type(callback) for callback in watchers.callbacks] == [Good]
    assert watchers.take("save")
    assert not watchers.take("save")


def test_asking_for_a_device_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="fp16 needs a CUDA device"):
        start(tmp_path / "run", precision="fp16", device="cpu")
    with pytest.raises(UserError, match="cuda:77 is not there"):
        start(tmp_path / "run", device="cuda:77")


def test_bf16_and_channels_last_train(tmp_path):
    status, _ = start(tmp_path / "run", precision="bf16", channels_last=True)
    assert status == "done"


def test_the_best_checkpoint_stays_and_is_named(tmp_path):
    _, said = start(tmp_path / "run", evaluate_every_epochs=1, keep_best="spread", checkpoint={"keep": 1})
    folder = tmp_path / "run"
    values = {}
    for row in (folder / "evaluation").iterdir():
        metrics = json.loads((row / "metrics.json").read_text())
        if row.name.startswith(("step", "after")):
            values[12 if row.name.startswith("after") else int(row.name.split("_")[1])] = metrics["spread"]["metrics"][
                "spread"
            ]
    assert sorted(values) == [4, 8, 12]
    best = max(values, key=values.get)
    (kept,) = (folder / "checkpoints").glob("best_step_*")
    assert kept.name == f"best_step_{best:09d}"
    state = checkpoint.load(kept)
    assert state.step == best
    assert state.facts["best"] == pytest.approx(values[best])
    assert f"Best spread spread: {values[best]:.3f}, kept in {kept}" in said
    assert [path.name for path in checkpoint.Checkpoints(folder / "checkpoints", 1).all()] == ["step_000000012"]


def test_a_run_that_was_killed_in_its_closing_evaluation_still_keeps_its_best(tmp_path, monkeypatch):
    changes = {"keep_best": "spread", "evaluate_every_epochs": 4}  # more than there are: only the closing one counts
    real = fakes.Spread.__call__

    def killed(self, source):
        if source.row == report.AFTER:
            raise RuntimeError("killed")
        return real(self, source)

    monkeypatch.setattr(fakes.Spread, "__call__", killed)
    with pytest.raises(RuntimeError, match="killed"):
        start(tmp_path / "run", **changes)
    monkeypatch.setattr(fakes.Spread, "__call__", real)
    again = load_recipe(resolved_recipe(tmp_path / "run"), [], catalog())
    assert engine.resume(tmp_path / "run", again, host()[0]).status == "done"
    (kept,) = (tmp_path / "run" / "checkpoints").glob("best_step_*")
    assert kept.name == "best_step_000000012"
    best, last = checkpoint.load(kept), checkpoint.load(tmp_path / "run" / "checkpoints" / "step_000000012")
    assert best.optimizer["state"].keys() == last.optimizer["state"].keys()
    assert best.optimizer["state"]


def test_the_lower_is_the_better_where_an_evaluator_says_so(tmp_path):
    class Low(fakes.Spread):
        lower_is_better = frozenset({"spread"})

    def found(value):
        return {"spread": EvaluationResult({"spread": value})}

    best = Best(tmp_path, "spread.spread", {"spread": Low(data="test")})
    state = checkpoint.State(3, {"w": torch.ones(1)}, None, {}, {}, {})
    assert best.kept() is None
    assert not best.improves(found(float("nan")))
    assert not best.improves({})
    best.save(state, found(2.0))
    assert not best.improves(found(2.0))
    assert best.improves(found(1.0))
    best.save(dataclasses.replace(state, step=5), found(1.0))
    assert best.kept() == (tmp_path / "best_step_000000005", 1.0)
    assert len(list(tmp_path.iterdir())) == 1


def test_evaluators_may_wait_for_the_end(tmp_path):
    spread = {"use": "spread", "data": "test"}
    changes = {"evaluate": [spread, {**spread, "during_training": False}], "evaluate_every_epochs": 1}
    start(tmp_path / "run", **changes)
    rows = {row.name: json.loads((row / "metrics.json").read_text()) for row in (tmp_path / "run/evaluation").iterdir()}
    assert list(rows["step_4"]) == ["spread"]
    assert list(rows["after_training"]) == ["spread", "spread_2"]
