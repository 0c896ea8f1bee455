"""How runs end on bad days: signals, full disks, readers that go, a folder that is taken away."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from helpers.commands import call
from helpers.tiny_recipes import QUICK
from helpers.training import read_journal

from rankhub import UserError
from rankhub.engine import checkpoint, evaluation, folder, training
from rankhub.engine.report import Report
from rankhub_cli.main import execute

SMALL = [*QUICK, "threads=1"]
TINY = ["quickstart", "steps=6", "evaluate=[]", "checkpoint.every_steps=2", *SMALL]


@pytest.fixture
def after_steps(monkeypatch):
    """Do something in the middle of a run, once so many steps are begun."""

    def plan(count, act):
        begun, step = [], training.take_step

        def take(*arguments):
            begun.append(1)
            if len(begun) == count:
                act()
            return step(*arguments)

        monkeypatch.setattr(training, "take_step", take)

    return plan


@pytest.mark.parametrize(("name", "code"), [("SIGHUP", 129), ("SIGTERM", 143), ("SIGINT", 130), ("SIGUSR1", 75)])
def test_a_signal_leaves_a_checkpoint_of_the_last_step_and_the_code_that_is_expected(
    tmp_path, capsys, after_steps, name, code
):
    after_steps(3, lambda: signal.raise_signal(signal.Signals[name]))
    done = call(capsys, "run", *TINY, "--out", tmp_path / "run")
    assert done.code == code
    assert checkpoint.Checkpoints(tmp_path / "run/checkpoints", 9).last().name == "step_000000003"
    assert f"rankhub run --resume {tmp_path / 'run'}" in done.out
    again = call(capsys, "run", "--resume", tmp_path / "run")
    assert again.code == 0, again.err
    assert [line["step"] for line in read_journal(tmp_path / "run/metrics.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_help_says_the_code_for_queues(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert "75" in call(capsys, "run", "--help").out


@contextmanager
def files_of_at_most(size):
    """As on a full disk: a file cannot grow beyond."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 300, 1200, 2500, 9_000, 40_000, 200_000])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_once_there_is_room(tmp_path, capsys, monkeypatch, size):
    run, caught = tmp_path / "run", []
    monkeypatch.setattr(threading, "excepthook", caught.append)  # of TensorBoard's thread
    with files_of_at_most(size):
        done = call(capsys, "run", *TINY, "--out", run)
    assert done.code == 2, done.err
    assert not caught
    (sentence,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "cannot be written" in sentence
    assert "make room" in sentence
    assert "Traceback" not in done.err + done.out
    assert not list(run.rglob("*.partial"))
    for place in checkpoint.Checkpoints(run / "checkpoints", 9).all():
        checkpoint.load(place)
    if (run / "recipe.resolved.yaml").is_file():
        again = call(capsys, "run", "--resume", run)
        assert again.code == 0, again.err
        assert [line["step"] for line in read_journal(run / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]


def test_a_run_whose_folder_is_taken_away_stops_and_says_so(tmp_path, capsys, after_steps):
    run = tmp_path / "run"
    after_steps(4, lambda: shutil.rmtree(run))
    done = call(capsys, "run", *TINY, "--out", run)
    assert done.code == 2
    assert "was taken away during the run" in done.err
    after_steps(2, lambda: run.rename(tmp_path / "moved"))
    done = call(capsys, "run", *TINY, "--out", run)
    assert done.code == 2
    assert str(run) in done.err


def test_a_folder_that_is_taken_away_at_the_very_end_is_no_success(tmp_path, capsys, monkeypatch):
    run, close = tmp_path / "run", Report.close

    def closing(*arguments):
        shutil.rmtree(run)
        close(*arguments)

    monkeypatch.setattr(Report, "close", closing)
    done = call(capsys, "run", *TINY, "--out", run)
    assert done.code == 2
    assert "was taken away during the run" in done.err


def outside(*arguments, cwd, **options):
    command = [sys.executable, "-m", "rankhub", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True, **options)


def test_training_goes_on_when_nobody_reads_it_any_more(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    started = outside("run", *TINY, "--out", tmp_path / "run", cwd=tmp_path, stdout=writer)
    os.close(writer)
    _, err = started.communicate(timeout=240)
    assert started.returncode == 0, err
    assert len(read_journal(tmp_path / "run/metrics.jsonl")) == 6
    assert (tmp_path / "run/checkpoints/step_000000006").is_dir()
    assert not err


def test_training_goes_on_when_its_terminal_is_gone(tmp_path):
    terminal, inside = os.openpty()
    started = outside("run", *TINY, "--out", tmp_path / "run", cwd=tmp_path, stdout=inside)
    os.close(inside)
    os.close(terminal)
    _, err = started.communicate(timeout=240)
    assert started.returncode == 0, err
    assert len(read_journal(tmp_path / "run/metrics.jsonl")) == 6
    assert not err


@pytest.mark.parametrize("verb", [("describe",), ("plugins", "list"), ("recipes",), ("describe", "loss", "smooth_ap")])
def test_a_short_verb_ends_quietly_when_its_reader_goes(tmp_path, verb):
    reader, writer = os.pipe()
    os.close(reader)
    started = outside(*verb, cwd=tmp_path, stdout=writer)
    os.close(writer)
    _, err = started.communicate(timeout=240)
    assert (started.returncode, err) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_what_cannot_be_printed_is_one_sentence(tmp_path):
    with open("/dev/full", "w") as full:
        started = outside("plugins", "list", cwd=tmp_path, stdout=full)
        _, err = started.communicate(timeout=240)
    assert started.returncode == 2
    assert err.startswith("error: ")
    assert "No space left on device; make room" in err
    assert "Traceback" not in err


DAMAGE = {
    "labels.json": [b"", b"{", b"[]", b"\xff", b"NaN", "without"],
    "evaluation/before_training/metrics.json": [b"", b"[1]", b"\xff", b'{"a": {}}'],
    "checkpoints/best_step_000000002/state.json": [b"", b"{}", b'{"facts": {"best": NaN}}'],
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that has stopped in its middle, with all kinds of files in its folder."""
    place = tmp_path_factory.mktemp("stopped") / "run"
    changes = ["steps=2", "checkpoint.every_steps=1", *SMALL]
    assert execute(["run", "quickstart", *changes, "--out", str(place)]) == 0
    shutil.copytree(place / "checkpoints/step_000000002", place / "checkpoints/best_step_000000002")
    return place


@pytest.mark.parametrize(("file", "content"), [(file, one) for file, every in DAMAGE.items() for one in every])
def test_a_damaged_file_of_a_run_is_one_sentence(stopped, tmp_path, file, content):
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    if content == "without":
        labels = json.loads((run / file).read_text())
        content = json.dumps({name: {"kind": one["kind"]} for name, one in labels.items()}).encode()
    (run / file).write_bytes(content)
    readers = {
        "labels.json": lambda: folder.read_labels(run),
        "evaluation/before_training/metrics.json": lambda: evaluation.stored_row((run / file).parent),
        "checkpoints/best_step_000000002/state.json": lambda: checkpoint.Best(
            run / "checkpoints", "a.m", {"a": _Judge()}
        ).kept(),
    }
    named = (run / file).parent if file.startswith("checkpoints") else run / file
    with pytest.raises(UserError, match=re.escape(str(named))) as error:
        readers[file]()
    assert "\n" not in str(error.value)


class _Judge:
    def headline(self):
        return ["m"]

    def sign(self, metric):
        return 1.0


def test_a_damaged_lock_is_a_note_and_a_torn_line_of_metrics_is_dropped(stopped, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    shutil.rmtree(run / "checkpoints")
    (run / "lock.json").write_bytes(b'{"libraries": 3')
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 1e999}\n\xff\xfe\n{"step": 3, "lo')
    done = call(capsys, "run", "--resume", run)
    assert done.code == 0, done.err
    assert "lock.json is damaged" in done.out
    assert [line["step"] for line in read_journal(run / "metrics.jsonl")] == [1, 2]
