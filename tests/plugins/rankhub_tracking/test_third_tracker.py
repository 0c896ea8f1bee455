"""The tracker of CONTRIBUTING.md, as it stands there, does what is said of it; and what the base does for all."""

import json
import shutil
import sys
import threading
import time
import types

import pytest
from helpers import fakes
from helpers.papers import blocks

import rankhub
import rankhub_guards
import rankhub_train
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback
from rankhub_tracking import flat
from rankhub_tracking.state import TrackerState, state_file

SMALL = {"phases.first.epochs": 1, "threads": 1, "device": "cpu", "checkpoint.every_steps": 2}


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def step_logged(self, step, values):
        return "stop" if step == self.step else None


@pytest.fixture
def third(repo, monkeypatch):
    """The module of the block, with the record that a plugin has for it."""
    (block,) = [text for text in blocks((repo / "CONTRIBUTING.md").read_text())["python"] if "(Tracker)" in text]
    body = block[block.index("class Lines") :].splitlines()
    assert len([line for line in body if line.strip()]) <= 10
    module = types.ModuleType("third_tracker")
    exec(compile(block, "CONTRIBUTING.md", "exec"), vars(module))
    record = rankhub.Component("callback", "lines", "third_tracker:Lines", "Lines in a file.")
    module.rankhub_components = rankhub.hookimpl(lambda: [record])
    monkeypatch.setitem(sys.modules, "third_tracker", module)
    found = Catalog.of(
        {"fakes": fakes, "rankhub_guards": rankhub_guards, "rankhub_train": rankhub_train, "third_tracker": module}
    )
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    return module


def recipe(file):
    return rankhub.load_recipe(fakes.RECIPE, {**SMALL, "callbacks": [{"use": "lines", "file": str(file)}]})


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_it_is_told_every_step_and_every_figure_once_over_an_interruption(third, tmp_path):
    file = tmp_path / "lines.jsonl"
    rankhub.train(recipe(file), tmp_path / "run", progress=False, callbacks=[StopAt(3)])
    assert [line["step"] for line in lines(file) if "loss" in line] == [1, 2, 3]
    shutil.rmtree(sorted((tmp_path / "run" / "checkpoints").iterdir())[-1])
    ended = rankhub.resume(tmp_path / "run", progress=False)
    journal = lines(tmp_path / "run" / "metrics.jsonl")
    assert [(line["step"], line["loss"]) for line in lines(file) if "loss" in line] == [
        (line["step"], pytest.approx(line["loss"])) for line in journal
    ]
    ((step, value),) = [(line["step"], line["spread/spread"]) for line in lines(file) if "spread/spread" in line]
    assert (step, value) == (4, pytest.approx(ended.metrics["spread.spread"]))
    assert sum("spread/spread/raw pixels" in line for line in lines(file)) == 1


def test_a_misspelled_method_of_a_tracker_is_found(third, tmp_path):
    third.Lines.picture_ = lambda self: None
    with pytest.raises(rankhub.UserError, match="'picture_' that nothing calls; did you mean 'picture'"):
        recipe(tmp_path / "lines.jsonl")


def test_a_server_that_comes_back_is_told_all_and_that_is_said(third, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("rankhub_tracking.tracker.AGAIN", 0.01)
    whole, calls = third.Lines.numbers, []

    def at_first_gone(self, rows):
        calls.append(rows)
        if len(calls) < 3:
            raise ConnectionError("gone")
        whole(self, rows)

    monkeypatch.setattr(third.Lines, "numbers", at_first_gone)
    rankhub.train(recipe(tmp_path / "lines.jsonl"), tmp_path / "run", progress=False, callbacks=[Patient(calls)])
    said = [record.getMessage() for record in caplog.records if record.getMessage().startswith("lines ")]
    assert said == [
        "lines fails: ConnectionError: gone; the training goes on, and it is tried again",
        "lines had failed (ConnectionError: gone), and has been told all by now",
    ]
    assert [line["step"] for line in lines(tmp_path / "lines.jsonl") if "loss" in line] == [1, 2, 3, 4]


class Patient(Callback):
    """A training that takes longer than the outage."""

    def __init__(self, calls):
        self.calls = calls

    def step_logged(self, step, values):
        until = time.monotonic() + 10
        while len(self.calls) < 3 and time.monotonic() < until:
            time.sleep(0.01)


def test_one_that_hangs_holds_up_neither_the_training_nor_its_end(third, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("rankhub_tracking.tracker.WAIT", 0.1)
    release = threading.Event()
    monkeypatch.setattr(third.Lines, "numbers", lambda self, rows: release.wait(30))
    ended = rankhub.train(recipe(tmp_path / "lines.jsonl"), tmp_path / "run", progress=False)
    release.set()
    assert ended.metrics
    (said,) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("lines ")]
    assert said.startswith("lines lacks a part of the run, for it has not answered")


def test_another_place_is_another_run_and_a_damaged_file_begins_anew(tmp_path):
    one, other = (state_file(tmp_path, "lines", place) for place in ("a", "b"))
    assert one != other
    TrackerState(id="x", step=3).write(one)
    assert TrackerState.read(one) == TrackerState(id="x", step=3)
    one.write_text("{")
    assert TrackerState.read(one) == TrackerState() == TrackerState.read(other)


def test_a_recipe_is_flat_by_the_names_that_overrides_have():
    recipe = {
        "optimizer": {"use": "a/adamw", "lr": 0.1},
        "evaluate": [{"use": "p/knn", "k": 5}, {"use": "p/knn", "k": 7}, {"use": "q/map", "name": "mine"}],
        "freeze": ["a", "b"],
        "empty": {},
    }
    assert flat(recipe) == {
        "optimizer.use": "a/adamw",
        "optimizer.lr": 0.1,
        "evaluate.knn.use": "p/knn",
        "evaluate.knn.k": 5,
        "evaluate.knn_2.use": "p/knn",
        "evaluate.knn_2.k": 7,
        "evaluate.mine.use": "q/map",
        "evaluate.mine.name": "mine",
        "freeze": ["a", "b"],
        "empty": {},
    }
