"""Against the real package, offline: what it has written is read back by its own process."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import wandb
from helpers import fakes
from wandb.proto import wandb_internal_pb2 as records

import rankhub
import rankhub_guards
import rankhub_train
import rankhub_wandb
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback

SMALL = {"phases.first.epochs": 1, "threads": 1, "device": "cpu", "checkpoint.every_steps": 2}


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    found = Catalog.of(
        {
            "fakes": fakes,
            "rankhub_guards": rankhub_guards,
            "rankhub_train": rankhub_train,
            "rankhub_wandb": rankhub_wandb,
        }
    )
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)


def recipe(**options):
    return rankhub.load_recipe(fakes.RECIPE, {**SMALL, "callbacks": [{"use": "wandb", "project": "fakes", **options}]})


def written(folder):
    """The records of all parts of a run, in order; wandb's process writes the last one, ``exit``, after the end."""
    files = sorted((Path(folder) / "wandb").glob("offline-run-*/*.wandb"), key=os.path.getctime)
    until = time.monotonic() + 20
    while True:
        found = [list(read(file.read_bytes())) for file in files]
        if all(part and part[-1].HasField("exit") for part in found) or time.monotonic() > until:
            return [record for part in found for record in part]
        time.sleep(0.05)


def read(data):
    """The records of a file.

    It is LevelDB's log: after 7 bytes of a header blocks of 32,768 bytes, each of pieces with a checksum (4 bytes),
    a length (2) and a kind (1: whole, 2: first, 3: middle, 4: last).
    """
    at, begun = 7, b""
    while at + 7 <= len(data):
        room = 32768 - at % 32768
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if room < 7 or kind == 0:
            at += room
            continue
        begun += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield records.Record.FromString(begun)
            begun = b""


def history(folder, key):
    """Step and value of each time that ``key`` was told."""
    found = []
    for record in written(folder):
        items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        if key in items:
            found.append((items["_step"], items[key]))
    return found


def losses(folder):
    lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], pytest.approx(line["loss"])) for line in lines]


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def step_logged(self, step, values):
        return "stop" if step == self.step else None


def test_all_of_a_run_is_there(tmp_path):
    ended = rankhub.train(recipe(checkpoint=True), tmp_path / "run", progress=False)
    assert history(ended.path, "loss") == losses(ended.path)
    ((step, value),) = history(ended.path, "spread/spread")
    assert (step, value) == (4, pytest.approx(ended.metrics["spread.spread"]))
    assert [at for at, _ in history(ended.path, "spread/spread/raw pixels")] == [0]
    ((_, picture),) = history(ended.path, "spread/black/path")
    ((_, table),) = history(ended.path, "tables/results/path")
    (files,) = (ended.path / "wandb").glob("offline-run-*/files")
    assert json.loads((files / table).read_text())["data"][2][0] == "after training"
    assert (files / picture).is_file()
    assert {"recipe.yaml", "recipe.resolved.yaml", "results.csv"} <= {path.name for path in files.iterdir()}
    everything = written(ended.path)
    config = {
        item.key or "/".join(item.nested_key): json.loads(item.value_json)
        for record in everything
        for item in [*record.config.update, *record.run.config.update]
    }
    assert config["optimizer.lr"] == 0.05
    (artifact,) = [record for record in everything if record.artifact.type == "model"]
    assert "model.safetensors" in str(artifact)
    assert [record.exit.exit_code for record in everything if record.HasField("exit")] == [0]


def test_a_run_that_goes_on_is_the_same_one_with_each_step_once(tmp_path):
    rankhub.train(recipe(), tmp_path / "run", progress=False, callbacks=[StopAt(3)])
    assert [step for step, _ in history(tmp_path / "run", "loss")] == [1, 2, 3]
    shutil.rmtree(sorted((tmp_path / "run" / "checkpoints").iterdir())[-1])  # as if it was killed after step 3
    rankhub.resume(tmp_path / "run", progress=False)
    assert history(tmp_path / "run", "loss") == losses(tmp_path / "run")
    assert len(history(tmp_path / "run", "spread/spread/raw pixels")) == 1
    ids = {record.run.run_id for record in written(tmp_path / "run") if record.HasField("run")}
    assert len(ids) == 1
    (state,) = (tmp_path / "run" / "trackers").iterdir()
    assert json.loads(state.read_text())["id"] in ids


def test_a_failure_does_not_end_the_training_and_is_made_good_later(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("rankhub_tracking.tracker.AGAIN", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(wandb, "init", _full)
        ended = rankhub.train(recipe(), tmp_path / "run", progress=False, callbacks=[StopAt(3)])
    assert ended.stopped
    assert sum("No space left" in record.getMessage() for record in caplog.records) == 2
    whole = rankhub.resume(tmp_path / "run", progress=False)
    assert history(whole.path, "loss") == losses(whole.path)


def _full(*arguments, **options):
    raise OSError(28, "No space left on device")


def test_online_without_a_key_asks_nobody_and_trains(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("rankhub_tracking.tracker.AGAIN", 0.01)
    ended = rankhub.train(recipe(mode="online"), tmp_path / "run", progress=False)
    assert not ended.stopped
    assert sum("`wandb login`" in record.getMessage() for record in caplog.records) == 2


def test_nothing_is_told_of_a_run_that_does_not_ask(tmp_path):
    ended = rankhub.train(rankhub.load_recipe(fakes.RECIPE, SMALL), tmp_path / "run", progress=False)
    assert not (ended.path / "wandb").exists()
    assert wandb.run is None


def test_without_the_package_a_recipe_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr("rankhub_wandb.tracker.find_spec", lambda name: None)
    with pytest.raises(rankhub.UserError, match=r"pip install 'rankhub\[wandb\]'"):
        recipe()
