"""The Python door as a whole: train, be interrupted, go on, open, ask; the process is left as it was."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from helpers import fakes
from helpers.commands import call

import rankhub
import rankhub_data
import rankhub_signals
import rankhub_train
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback

STACK = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
LABELS = [number % 2 for number in range(24)]
CHANGES = {"phases.first.epochs": 2, "threads": 2, "device": "cpu"}


@pytest.fixture(autouse=True)
def catalog(monkeypatch):
    """The fakes, the plugin whose data set takes what is handed over, the verbs, and what listens to signals."""
    own = {"rankhub_data": rankhub_data, "rankhub_train": rankhub_train, "rankhub_signals": rankhub_signals}
    found = Catalog.of({"fakes": fakes, **own})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    return found


def recipe(**changes):
    return rankhub.load_recipe(fakes.RECIPE, {**CHANGES, **changes})


def process():
    """What belongs to the whole process, in a form that can be compared."""
    log = logging.getLogger("rankhub")
    return {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "torch": torch.random.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
        "precision": torch.get_float32_matmul_precision(),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "wakeup": signal.set_wakeup_fd(-1),
        # torch itself says in the environment where it would compile, once its optimizers are imported.
        "environment": {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"},
        "folder": os.getcwd(),
        "logging": (log.handlers[:], log.level, log.propagate, logging.getLogger().handlers[:]),
        "paths": sys.path[:],
    }


@contextlib.contextmanager
def unchanged():
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    before = process()
    yield
    after = process()
    assert {name for name in before if before[name] != after[name]} == set()


class Watch(Callback):
    """Writes down what it is told; may be the user who presses Ctrl-C."""

    def __init__(self, interrupt_at=None, ask=None):
        self.told, self.interrupt_at, self.ask = [], interrupt_at, ask

    def run_started(self, run):
        self.told.append(("started", run.step, run.steps))

    def step_logged(self, step, values):
        self.told.append(("step", step, sorted(values)[:1] and "loss" in values))
        if step == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)
        return self.ask.get(step) if self.ask else None

    def evaluated(self, step, row, results):
        self.told.append(("evaluated", row, sorted(results)))

    def checkpoint_written(self, step, folder):
        self.told.append(("checkpoint", step, folder.is_dir()))

    def run_ended(self, step, status):
        self.told.append(("ended", step, status))


def alike(one, other):
    first, second = one.network.state_dict(), other.network.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_whole_way_leaves_the_process_as_it_was(tmp_path):
    with unchanged():
        loaded = recipe()
        rankhub.estimate(loaded, {"train": STACK}, progress=False)
        run = rankhub.train(loaded, tmp_path / "run", {"train": (STACK, LABELS)}, progress=False)
        run.predict(STACK[:3])
        list(run.predict_iter(iter(STACK[:3]), batch_size=2))
        run.embed(STACK[:3], normalize=True)
        run.preprocess(STACK[0])
        run.evaluate(data={"test": STACK[:5]})
        rankhub.resume(run.path, {"train": (STACK, LABELS)}, progress=False)
        with rankhub.load_run(run.path, device="cpu") as opened:
            opened.predict(STACK[0])
        rankhub.list_components()
        rankhub.describe("loss", "pull")


def test_what_fails_leaves_the_process_as_it_was(tmp_path):
    raw = yaml.safe_load(fakes.RECIPE)
    raw["streams"]["views"] |= {
        "generator": [{"use": "dimmer"}],
        "objectives": [{"use": "fit", "head": "main", "blow_up_at": 0.3}],
    }
    loaded = rankhub.load_recipe(raw, CHANGES)
    with unchanged(), pytest.raises(rankhub.UserError, match="is nan at step"):
        rankhub.train(loaded, tmp_path / "run", progress=False)


def test_random_numbers_of_the_process_do_not_reach_the_run(tmp_path):
    runs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        runs.append(rankhub.train(recipe(), tmp_path / str(seed), {"train": STACK}, progress=False))
    assert alike(*runs)


def test_callbacks_watch_and_ask(tmp_path):
    watch = Watch(ask={5: "save", 7: "stop"})
    run = rankhub.train(recipe(), tmp_path / "run", progress=False, callbacks=[watch])
    assert run.stopped
    assert watch.told[0] == ("started", 0, 8)
    assert [step for what, step, _ in watch.told if what == "step"] == [1, 2, 3, 4, 5, 6, 7]
    assert all(has for what, _, has in watch.told if what == "step")
    assert ("checkpoint", 5, True) in watch.told
    assert watch.told[-1] == ("ended", 7, "stopped")
    after = Watch()
    whole = rankhub.resume(run.path, progress=False, callbacks=[after])
    assert not whole.stopped
    assert after.told[0] == ("started", 7, 8)
    assert after.told[-1] == ("ended", 8, "done")
    assert alike(whole, rankhub.train(recipe(), tmp_path / "plain", progress=False))


def test_an_interruption_carries_the_run_and_the_run_goes_on(tmp_path):
    whole = rankhub.train(recipe(), tmp_path / "whole", {"train": STACK}, progress=False)
    watch = Watch(interrupt_at=3)
    with unchanged(), pytest.raises(rankhub.Interrupted) as caught:
        rankhub.train(recipe(), tmp_path / "run", {"train": STACK}, progress=False, callbacks=[watch])
    assert isinstance(caught.value, KeyboardInterrupt)
    assert f"rankhub.resume({str(tmp_path / 'run')!r}" in str(caught.value)
    run = caught.value.run
    assert (run.path, run.stopped) == (tmp_path / "run", True)
    assert len(run.predict(STACK[:2])) == 2
    assert not alike(run, whole)
    with pytest.raises(rankhub.Interrupted) as again:
        rankhub.resume(run.path, {"train": STACK}, progress=False, callbacks=[Watch(interrupt_at=6)])
    assert alike(rankhub.resume(again.value.run.path, {"train": STACK}, progress=False), whole)


def test_progress_is_told_and_nothing_is_printed(tmp_path, capfd, monkeypatch):
    # a verb that another test called in this process may listen, and prints what is logged
    monkeypatch.setattr(logging.getLogger("rankhub"), "handlers", [logging.NullHandler()])
    told = []
    run = rankhub.train(recipe(), tmp_path / "run", progress=lambda *args: told.append(args))
    assert [done for done, total, what in told if (total, what) == (8, "training")] == list(range(1, 9))
    assert {what for _, _, what in told} > {"training"}
    rankhub.train(recipe(), tmp_path / "none")
    rankhub.train(recipe(), tmp_path / "silent", progress=False)
    run.predict(STACK)
    assert capfd.readouterr() == ("", "")


def test_a_run_that_is_opened_has_all_that_it_measured(tmp_path):
    run = rankhub.train(recipe(), tmp_path / "run", {"test": STACK[:9]}, progress=False)
    with rankhub.load_run(str(tmp_path / "run")) as opened:
        assert opened.metrics == run.metrics
        assert list(opened.metrics) == ["spread.spread"]
        assert {"results", "evaluation/after_training/spread_rows"} <= set(opened.tables)
        assert opened.recipe.resolved() == run.recipe.resolved()
        assert isinstance(opened.network, torch.nn.Module)
        assert not opened.network.training
        assert opened.to("cpu") is opened
        assert alike(opened, run)
        first, second = opened.predict(STACK[:2])
        assert (list(first.values), list(first.unit), list(first.direction)) == (["rating"],) * 3
        assert first.value != second.value


def test_errors_are_those_of_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(fakes.RECIPE.replace("batch_size: 6", "batch_size: six"))
    with pytest.raises(rankhub.UserError) as caught:
        rankhub.load_recipe("mine.yaml", {"optimizer.lr": "high"})
    said = call(capsys, "validate", "mine.yaml", "optimizer.lr=high")
    assert (said.code, said.err) == (2, f"error: {caught.value}\n")
    assert "mine.yaml:" in said.err
    assert "optimizer.lr" in said.err


FRESH = """
import random, signal, sys, threading
import numpy as np
import rankhub, rankhub_data
from helpers import fakes
from rankhub.catalog.catalog import Catalog

found = Catalog.of({"fakes": fakes, "rankhub_data": rankhub_data})
Catalog.discover = classmethod(lambda cls: found)
random.seed(5)
np.random.seed(5)
before = random.getstate(), str(np.random.get_state()), signal.getsignal(signal.SIGINT), threading.active_count()
if sys.argv[1] == "train":
    rankhub.train(fakes.RECIPE, sys.argv[2], progress=False)
else:
    rankhub.load_run(sys.argv[2]).predict(np.zeros((2, 8, 8, 3), np.uint8))
after = random.getstate(), str(np.random.get_state()), signal.getsignal(signal.SIGINT), threading.active_count()
print([one == other for one, other in zip(before, after)])
"""


def test_in_a_fresh_process_importing_what_is_needed_changes_nothing_either(tmp_path):
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for verb in ("train", "load"):
        command = [sys.executable, "-c", FRESH, verb, str(tmp_path / "run")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=found, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "[True, True, True, True]\n"), (verb, done.stderr)


def test_recipes_and_components_are_listed_and_described():
    assert [info.name for info in rankhub.list_components("loss")] == ["fit", "follow", "pull"]
    page = rankhub.describe("loss", "pull")
    assert "strength" in str(page)
    assert rankhub.list_recipes() == []
