"""Two launchers of torch on the loopback, as on two machines: one is lost, and the run goes on with what is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import yaml
from helpers import fakes
from helpers.launched import agent, below, steps_of, wait_for_step

from rankhub_torchrun import lost

STEPS = 40


def write_recipe(folder):
    """The fake recipe, slowed down."""
    recipe = yaml.safe_load(fakes.RECIPE)
    recipe["streams"]["views"]["objectives"] = [{"use": "stumble", "head": "main", "seconds": 0.05}]
    recipe["phases"] = [{"name": "first", "steps": STEPS, "streams": ["views"]}]
    recipe["checkpoint"] = {"every_epochs": None, "every_steps": 5}
    (folder / "fake.yaml").write_text(yaml.safe_dump(recipe))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes through /proc")
def test_a_machine_is_lost_and_the_other_goes_on_by_itself_each_step_once(tmp_path):
    write_recipe(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call = ("run", "fake.yaml", "--out", "run", "--resume", "auto")
    host = agent(port, *call, cwd=tmp_path, host=True)
    other = agent(port, *call, cwd=tmp_path)
    try:
        wait_for_step(tmp_path / "run", 12, host)
        for process in (other.pid, *below(other.pid)):
            os.kill(process, signal.SIGKILL)
        said = host.communicate(timeout=240)[0]
    finally:
        for launcher in (host, other):
            launcher.kill()
            launcher.wait()
    assert host.returncode == 0, said
    assert "processes" in said[: said.index("goes on after step")]
    after = int(said.partition("goes on after step ")[2].split()[0])
    assert 5 <= after < STEPS
    assert after % 5 == 0  # of a checkpoint
    assert "ends because another process is gone" in said
    assert steps_of(tmp_path / "run") == list(range(1, STEPS + 1))
    assert (tmp_path / "run/results.csv").exists()


ORPHAN = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=sys.stdout)
sys.stdin.readline()
"""

WATCHED = """
import time
from rankhub_torchrun.lost import ended_with_launcher
with ended_with_launcher():
    print("begun", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="only there processes outlive the one that has started them so")
def test_a_process_ends_with_its_launcher(tmp_path):
    """As by SIGTERM, within a second or two; without a launcher nothing is watched."""
    said = {}
    for under in (True, False):
        variables = {**os.environ, lost.UNDER_LAUNCHER: "x"} if under else dict(os.environ)
        command, pipe = [sys.executable, "-c", ORPHAN, WATCHED], subprocess.PIPE
        with (tmp_path / "said").open("w+") as errors:
            parent = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=variables)
            assert parent.stdout is not None
            assert parent.stdout.readline() == "begun\n"
            (child,) = below(parent.pid)
            parent.kill()
            parent.wait()
            until = time.monotonic() + (20 if under else 2)
            while os.path.exists(f"/proc/{child}") and "Z" not in _state(child) and time.monotonic() < until:
                time.sleep(0.05)
            said[under] = (tmp_path / "said").read_text()
            if not under:
                assert "Z" not in _state(child)
                os.kill(child, signal.SIGKILL)
    assert said == {True: "process 0: ends because its launcher is gone\n", False: ""}


def _state(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_connections_are_tried():
    """Those that are open; one that only listens is left as it is."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()) as one, listening.accept()[0] as other:
            lost.try_connections()
            for each, tried in ((one, 1), (other, 1), (listening, 0)):
                assert each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == tried
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90_000
            one.sendall(b"still open")
            assert other.recv(20) == b"still open"
