"""One process at a time: who holds a place is named, and one that was killed holds nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import rankhub
from rankhub import UserError
from rankhub_lock import lock, locked

HOLD = """
import sys, time, pathlib
from rankhub_lock import locked
with locked(pathlib.Path(sys.argv[1]), sentence=""):
    print(1, flush=True)
    time.sleep(60)
"""


def held_elsewhere(file: Path, age: float = 0.0) -> None:
    """As a process of another machine writes it, whose heart beat last so many seconds ago."""
    told = {"host": "far", "pid": os.getpid(), "since": "noon", "began": "1", "machine": "far 1 pid"}
    file.write_text(json.dumps(told))
    os.utime(file, (time.time() - age,) * 2)


def test_the_second_is_told_by_whom_the_place_is_held(tmp_path):
    file = tmp_path / "new" / "lock"
    with (
        locked(file, sentence="one"),
        pytest.raises(UserError, match=rf"^two \(process {os.getpid()} on .+, since \d{{4}}-"),
        locked(file, sentence="two"),
    ):
        pass
    assert not file.exists()
    with locked(file, sentence="free again"):
        assert file.exists()


def test_it_is_free_after_an_exception(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", sentence=""):
        raise ZeroDivisionError
    with locked(tmp_path / "lock", sentence=""):
        pass


@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_process_holds_nothing(tmp_path, reaped):
    file = tmp_path / "lock"
    environment = {**os.environ, "PYTHONPATH": str(Path(rankhub.__file__).parents[1])}
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, env=environment)
    assert other.stdout.readline() == b"1\n"
    with pytest.raises(UserError, match=f"process {other.pid} on "), locked(file, sentence="held"):
        pass
    other.send_signal(signal.SIGKILL)
    if reaped:
        other.wait()
    else:  # its number is still there
        while Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
    with locked(file, sentence="held"):
        pass
    other.wait()
    other.stdout.close()


def test_a_number_that_another_process_has_by_now_holds_nothing(tmp_path):
    file = tmp_path / "lock"
    with locked(file, sentence=""):
        told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "began": "1"}))
    with locked(file, sentence="held"):
        pass


def test_on_another_machine_a_heart_that_beats_holds_and_one_that_stopped_does_not(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(lock, "SILENCE", 0.6)
    file = tmp_path / "lock"
    held_elsewhere(file, age=7)
    with locked(file, sentence="long silent"):
        assert not caplog.messages
    held_elsewhere(file)
    since = time.monotonic()
    with locked(file, sentence="it stops now"):
        assert time.monotonic() - since > 0.6
    assert caplog.messages == [f"{file} is held on far; whether that lives is known in 1 s"]
    held_elsewhere(file)
    over = threading.Event()

    def beat():
        while not over.wait(0.1):
            os.utime(file)

    heart = threading.Thread(target=beat)
    heart.start()
    with (
        pytest.raises(UserError, match=r"it beats \(process \d+ on far, since noon\)"),
        locked(file, sentence="it beats"),
    ):
        pass
    over.set()
    heart.join()
    assert json.loads(file.read_text())["host"] == "far"


def test_its_own_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT", 0.05)
    with locked(tmp_path / "lock", sentence=""):
        os.utime(tmp_path / "lock", (0, 0))
        until = time.monotonic() + 10
        while (tmp_path / "lock").stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.02)
        assert (tmp_path / "lock").stat().st_mtime > 0


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"pid": "x"}', "\0" * 40])
def test_what_a_crash_left_of_the_file_holds_nothing(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    os.utime(tmp_path / "lock", (0, 0))
    with locked(tmp_path / "lock", sentence="held"):
        pass


def test_a_copy_of_a_place_that_is_held_is_free(tmp_path):
    with locked(tmp_path / "lock", sentence=""):
        shutil.copy2(tmp_path / "lock", tmp_path / "copy")
        with locked(tmp_path / "copy", sentence="held"):
            pass


def test_who_lost_the_place_leaves_it_to_the_other(tmp_path):
    file = tmp_path / "lock"
    with locked(file, sentence=""):
        held_elsewhere(file)
    assert file.exists()


def test_of_many_who_wait_one_at_a_time_goes_in(tmp_path):
    inside, most = [], []

    def go():
        for _ in range(3):
            with locked(tmp_path / "lock", sentence="", patience=60):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.01)
                inside.pop()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 12
