"""A plugin on the path of a process to be launched: the fakes, and a loss that fails or is slow where it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from helpers.zygote import zygote

import rankhub

PLUGIN = '''
import os
import time

import torch
from helpers import fakes

import rankhub
from rankhub import Component
from rankhub.interfaces.errors import UserError


class Stumble(fakes.Follow):
    """A loss that fails on one process.

    Args:
        process: Which.
        at: Progress at which it does.
        seconds: Sleep in each step.
        mend: Whether the user could mend it.
    """

    def __init__(self, outputs, /, *, process: int = -1, at: float = 2.0, seconds: float = 0.0, mend: bool = False):
        super().__init__(outputs)
        self.process, self.at, self.seconds, self.mend = process, at, seconds, mend

    def forward(self, outputs, target, context):
        time.sleep(self.seconds)
        if str(self.process) == os.environ.get("RANK") and context.progress >= self.at:
            raise UserError("the shoe is untied; tie it") if self.mend else ZeroDivisionError("stumbled over a stone")
        return super().forward(outputs, target, context)


@rankhub.hookimpl
def rankhub_components():
    own = Component("loss", "stumble", "stumbling:Stumble", "Fails where it is told to.")
    return [*fakes.rankhub_components(), own]
'''


def environment(folder: Path) -> dict[str, str]:
    """The variables of a process that finds the plugin, which is written into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stumbling.py").write_text(PLUGIN)
    record = folder / "stumbling-1.0.dist-info"
    record.mkdir(exist_ok=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: stumbling\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[rankhub.plugins]\nstumbling = stumbling\n")
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(map(str, (folder, tests, Path(rankhub.__file__).parents[1])))
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def launch(count: int, *arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """`rankhub` on so many processes, as a user starts it."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count), "--standalone"]
    command = [*(launcher if count > 1 else [sys.executable]), "-m", "rankhub", *map(str, arguments)]
    variables = environment(cwd / "plugin")
    out = subprocess.PIPE
    return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True, cwd=cwd, env=variables)


PATIENCE = "last_call_timeout=1,keep_alive_interval=1,keep_alive_max_attempt=2"
"""Of the launchers of :func:`agent` with one another."""


def agent(port: int, *arguments: object, cwd: Path, host: bool = False) -> subprocess.Popen[str]:
    """`rankhub` under one of two launchers of torch, one process each, as on two machines; one hosts the rendezvous."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes=1:2", "--nproc-per-node=1", "--max-restarts=3"]
    launcher += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=test", "--local-addr=127.0.0.1"]
    command = [*launcher, f"--rdzv-conf={PATIENCE},is_host={int(host)}", "-m", "rankhub", *map(str, arguments)]
    variables = {**environment(cwd / "plugin"), "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    out = subprocess.PIPE
    return subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True, cwd=cwd, env=variables)


def below(parent: int) -> list[int]:
    """The processes that a process has started, and those that these have (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            own = int((process / "stat").read_text().rpartition(")")[2].split()[1]) == parent
        except OSError:
            continue
        found += [int(process.name), *below(int(process.name))] if own else []
    return found


def forked(count: int, *arguments: object, cwd: Path) -> tuple[int, str]:
    """The same without the launcher, to the end, sooner: the first exit code that is not 0, and what all have said."""
    variables, said = environment(cwd / "plugin"), cwd / f"said_{time.monotonic_ns()}.txt"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ranks = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    parent, started = zygote(), []
    for rank in range(count):
        own = ranks | {"RANK": str(rank), "LOCAL_RANK": str(rank)} if count > 1 else {}
        started.append(parent.start(*arguments, cwd=cwd, out=said, err=said, **variables | own))
    first = parent.wait(started[0])
    for process in started[1:] if first else ():  # as the launcher does
        os.kill(process, signal.SIGTERM)
    codes = [first, *map(parent.wait, started[1:])]
    return next((code for code in codes if code), 0), said.read_text()


def steps_of(folder: Path) -> list[int]:
    """The steps in a run's metrics."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(json.loads(line)["step"]) for line in lines if line.endswith("}")]


def wait_for_step(folder: Path, step: int, started: subprocess.Popen[str], seconds: float = 240) -> None:
    """Wait until a run has done so many steps."""
    until = time.monotonic() + seconds
    while len(steps_of(folder)) < step:
        assert started.poll() is None, started.communicate()[0]
        assert time.monotonic() < until, "the run does not get on"
        time.sleep(0.05)


def process_of_rank(launcher: int, rank: int) -> int:
    """The number of the process that a launcher has started as ``rank`` (Linux)."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == launcher and f"RANK={rank}".encode() in variables:
            return int(process.name)
    raise AssertionError(f"no process of {launcher} has the rank {rank}")
