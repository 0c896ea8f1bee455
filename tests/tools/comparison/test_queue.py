from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from comparison import queue
from comparison.jobs import Job
from comparison.queue import Queue, command, seconds_left
from comparison.results import RECORD, is_done, write_record


def job(folder: Path, kind: str = "trial", forwards: int = 100) -> Job:
    return Job("m", kind, 0, "recipe", ("a=1",), forwards, "", folder)


@pytest.fixture
def jobs(tmp_path) -> list[Job]:
    return [job(tmp_path / name) for name in "abc"]


@pytest.fixture
def script(monkeypatch):
    """Sets what a run does: Python code with the run's folder in ``place``."""

    def set_(code: str) -> None:
        head = "import os, pathlib, signal, sys, time; place = pathlib.Path(sys.argv[1]); place.mkdir(exist_ok=True)\n"
        monkeypatch.setattr(queue, "command", lambda job: [sys.executable, "-c", head + code, str(job.folder)])

    return set_


def make(jobs, width=2, **heard) -> Queue:
    done = heard.setdefault("done", [])
    failed = heard.setdefault("failed", [])
    return Queue(
        lambda is_over: jobs,
        width,
        1,
        lambda jobs: [],
        lambda job, seconds, left: done.append(job.folder.name),
        lambda job, log: failed.append((job.folder.name, log.read_text())),
    )


def test_runs_that_are_there_are_not_repeated(jobs, script):
    script("(place / 'ran').write_text(os.environ['OMP_NUM_THREADS'])")
    jobs[1].folder.mkdir()
    write_record(jobs[1], 1.0)
    done: list[str] = []
    assert make(jobs, done=done).work()
    assert sorted(done) == ["a", "c"]
    assert (jobs[0].folder / "ran").read_text() == "1"
    assert not (jobs[1].folder / "ran").exists()
    assert make(jobs, done=done).work()
    assert len(done) == 2


def test_a_run_that_fails_is_told_and_the_others_go_on(jobs, script):
    script("sys.exit('no such option') if place.name == 'b' else None")
    done: list[str] = []
    failed: list[tuple[str, str]] = []
    assert not make(jobs, done=done, failed=failed).work()
    assert sorted(done) == ["a", "c"]
    assert [name for name, _ in failed] == ["b"]
    assert "no such option" in failed[0][1]
    assert not is_done(jobs[1])


def test_ctrl_c_reaches_each_run_once_and_no_further_run_begins(jobs, script):
    script(
        "signal.signal(signal.SIGINT, lambda *_: ((place / f'told{time.monotonic_ns()}').touch(), sys.exit(130)))\n"
        "(place / 'ready').touch()\n"
        "time.sleep(30)"
    )
    failed: list[tuple[str, str]] = []

    def interrupt() -> None:
        while not all((job.folder / "ready").exists() for job in jobs[:2]):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert not make(jobs, failed=failed).work()
    thread.join()
    assert [len(list(job.folder.glob("told*"))) for job in jobs[:2]] == [1, 1]
    assert not jobs[2].folder.exists()
    assert failed == []


def test_an_interrupted_run_is_resumed_and_one_without_a_recipe_begins_again(tmp_path, script, monkeypatch):
    one = job(tmp_path / "a")
    assert command(one)[3:] == ["run", "recipe", "a=1", "--out", str(one.folder)]
    one.folder.mkdir()
    (one.folder / "recipe.resolved.yaml").touch()
    assert command(one)[3:] == ["run", "--resume", str(one.folder)]
    (one.folder / "recipe.resolved.yaml").unlink()
    (one.folder / "rest").touch()
    script("(place / 'whole').write_text(str(sorted(path.name for path in place.iterdir())))")
    assert make([one]).work()
    assert (one.folder / "whole").read_text() == "[]"
    assert (one.folder / RECORD).is_file()


def test_the_estimate_goes_by_kind_and_else_by_forwards(tmp_path):
    trials = [job(tmp_path / f"t{n}", "trial", 100) for n in range(4)]
    finals = [job(tmp_path / f"f{n}", "final", 400) for n in range(2)]
    seconds = {trials[0].folder: 10.0, trials[1].folder: 30.0}
    left = seconds_left([*trials, *finals], lambda job: job.folder in seconds, seconds, 2)
    assert left == (2 * 20.0 + 2 * 0.2 * 400) / 2
    assert seconds_left(trials, lambda job: False, {}, 1) == 0.0
