"""A run that waits for its images says so once, with what would help."""

from __future__ import annotations

import json
import logging
import time

import pytest
from helpers import fakes
from helpers.recipes import load_text
from helpers.training import catalog

from rankhub import Talk
from rankhub.engine import run as engine
from rankhub.interfaces.callback import RunInfo
from rankhub_train import data_bound
from rankhub_train.data_bound import DataBound, advice


def recipe(workers=0, draws=None):
    return {"loader": {"workers": workers}, "streams": {"views": {"draws": draws}}}


def said(monkeypatch, caplog, waits, each=1.0, every=20):
    """What is said of steps that take ``each`` seconds, of which these are waited, told at every so many steps."""
    clock = [100.0]
    monkeypatch.setattr(data_bound.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(data_bound, "cores", lambda: 8)
    watches = DataBound(RunInfo("r", None, recipe(), 0, 10_000))
    with caplog.at_level(logging.WARNING, "rankhub"):
        for number, wait in enumerate(waits):
            clock[0] += each * every
            watches.step_logged(1 + number * every, {"loss": 1.0, "data_wait": wait})
            watches.step_logged(2 + number * every, {"loss": 1.0})  # a step of which nothing is known
    return [record.message for record in caplog.records]


def test_waiting_beyond_a_quarter_is_said_once(monkeypatch, caplog):
    (line,) = said(monkeypatch, caplog, [0.4] * 12)
    assert line.startswith("training waits for its images 40 % of the time; set loader.workers=7 (now 0)")
    assert "resize" in line
    assert "streams.views.draws=4" in line


@pytest.mark.parametrize("waits", [[0.2] * 12, [900.0, *[0.1] * 12], [0.0] * 12, [0.9]])
def test_little_waiting_and_a_slow_start_are_not(monkeypatch, caplog, waits):
    assert said(monkeypatch, caplog, waits) == []


def test_it_is_taken_over_a_window(monkeypatch, caplog):
    """One slow file in half a minute of short steps is nothing; a whole window of waiting is."""
    assert said(monkeypatch, caplog, [0.0, *[0.01] * 20, 0.09, *[0.01] * 20], each=0.1, every=10) == []
    assert len(said(monkeypatch, caplog, [0.0, *[0.06] * 40], each=0.1, every=10)) == 1


def test_advice_fits_the_machine_and_the_recipe():
    assert not any("workers" in line for line in advice(recipe(workers=7), 8))
    assert any("loader.workers=3 (now 1)" in line for line in advice(recipe(workers=1), 4))
    assert not any("draws" in line for line in advice(recipe(draws=4), 4))


def test_a_run_tells_what_it_waited(tmp_path, monkeypatch):
    """Of the steps that are logged, the mean of those since the one before; and they are seconds of that wait."""
    slow = fakes.Patches.__getitem__

    def reads(self, index):
        time.sleep(0.01)
        return slow(self, index)

    monkeypatch.setattr(fakes.Patches, "__getitem__", reads)
    loaded = load_text(fakes.RECIPE, ["evaluate=[]"], catalog())
    engine.start(loaded, engine.Host(catalog(), Talk()), tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    told = {line["step"]: line["data_wait"] for line in lines if "data_wait" in line}
    assert sorted(told) == [1, 3, 6, 9, 12]
    assert all(0.02 < wait < 5 for wait in told.values())  # six images of 10 ms, less the step itself
