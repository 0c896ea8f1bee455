"""A run of two processes of which one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from fault_kinds.child import SENTENCE
from fault_kinds.world import STEPS, FaultType, World, differs, result_of

_PATIENCE = 240.0


def pair(world: World, root: Path, draw: Random, number: int) -> tuple[str, str | None]:
    """One of two processes is killed in training: the other says so and ends; resumed by two, all is the same."""
    work = world.at("fresh", root / "work")
    whole = _launched(work, "run", "tiny.yaml", "--out", "whole")
    said = _end(whole)
    if whole.returncode:
        return "two processes, undisturbed", said[-600:]
    victim, step = draw.randrange(2), draw.randrange(1, STEPS - 2)
    killed = _launched(work, "run", "tiny.yaml", "--out", "run")
    until = time.monotonic() + _PATIENCE
    while _steps(work / "run/metrics.jsonl") < step and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process = _of_rank(killed.pid, victim)
    if process is not None:
        os.kill(process, signal.SIGKILL)
    said = _end(killed)
    done = f"process {victim} of two, SIGKILL after step {step}"
    if process is None or killed.returncode == 0:
        return f"{done}: ended before", None
    if "another process is gone" not in said and victim == 1:
        return done, f"the process that lived did not say why it ended: {said[-600:]}"
    resumed = _launched(work, "run", "--resume", "run")
    said = _end(resumed)
    if resumed.returncode or SENTENCE in said:
        return done, f"resumed by two: exit {resumed.returncode}: {said[-600:]}"
    return done, differs(World(work, result=result_of(work, "whole")), work)


def _launched(work: Path, *arguments: str) -> subprocess.Popen[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "rankhub"]
    return subprocess.Popen(
        [*launcher, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=work
    )


def _end(started: subprocess.Popen[str]) -> str:
    try:
        return started.communicate(timeout=_PATIENCE)[0]
    except subprocess.TimeoutExpired:
        started.kill()
        return f"hangs: {started.communicate()[0]}"


def _steps(metrics: Path) -> int:
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def _of_rank(launcher: int, rank: int) -> int | None:
    """The number of the process that a launcher has started as ``rank``."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == launcher and f"RANK={rank}".encode() in (place / "environ").read_bytes().split(b"\0"):
                return int(place.name)
        except OSError:
            continue
    return None


KINDS = [FaultType("processes", 1, pair, 0)]
