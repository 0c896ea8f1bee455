"""Loses machines of a run under torch's elastic launcher, and looks whether it goes on, each step once.

    python tools/check_elastic.py                 # torchrun's own patience: some minutes
    python tools/check_elastic.py --quick         # patience of seconds
    python tools/check_elastic.py --lost host     # the machine is lost that hosts the rendezvous

Two launchers on the loopback stand for two machines, one process each. A machine is lost by SIGKILL to its launcher and
all that it has started. Runs the quickstart's recipe, shortened, through the command line (Linux).

1. Both train. One is lost; how long until the next new step, on what is left.
2. Another one comes in its place; how long until the next new step, on both.
3. Both are lost, and started anew by the same commands; how long until the next new step.

Prints these times, each with the steps that were done again, then whether each step stands once in the metrics and
once in what TensorBoard shows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OVERRIDES = ["evaluate=[]", "threads=1", "checkpoint.every_epochs=null", "log.pictures_every_epochs=null"]
QUICK = "last_call_timeout=2,keep_alive_interval=1,keep_alive_max_attempt=3"
PATIENCE = 600.0
NEW_STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
"""Without it a machine that comes later waits for what torchrun (2.14) tells at the beginning only."""


@dataclass
class Cluster:
    """Launchers that share a rendezvous and the folder of a run.

    Attributes:
        folder: Where they work.
        port: Of the rendezvous, on this machine.
        steps: Of the run.
        every: Steps from a checkpoint to the next.
        conf: torchrun's ``--rdzv-conf``; "" = its own.
    """

    folder: Path
    port: int
    steps: int
    every: int
    conf: str = ""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def node(self, host: bool) -> subprocess.Popen[bytes]:
        """One more machine; ``host``: on which the rendezvous is."""
        conf = ",".join(filter(None, [self.conf, f"is_host={int(host)}"]))
        launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes=1:2", "--nproc-per-node=1"]
        launcher += ["--max-restarts=3", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{self.port}"]
        launcher += ["--rdzv-id=check", f"--rdzv-conf={conf}", "--local-addr=127.0.0.1"]
        rest = [f"steps={self.steps}", f"checkpoint.every_steps={self.every}", "--out", "run", "--resume", "auto"]
        with (self.folder / f"node_{len(self.started)}.log").open("wb") as log:
            command = [*launcher, "-m", "rankhub", "run", "quickstart", *OVERRIDES, *rest]
            variables = {**os.environ, "OMP_NUM_THREADS": "1", **NEW_STORE}
            node = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=variables)
        self.started.append(node)
        return node

    def done(self) -> list[int]:
        """Steps in the metrics; a line cut short by a kill is passed over."""
        return list(steps_in(self.folder / "run/metrics.jsonl"))

    def wait(self, step: int, whole: int = 0) -> float:
        """Wait for a step, where ``whole`` is the file of the metrics no more; the moment at which it was there."""
        until = time.monotonic() + PATIENCE
        while self.file() == whole or not (done := self.done()) or done[-1] < step:
            if time.monotonic() > until:
                raise SystemExit(f"no step {step} within {PATIENCE:.0f} s, the last one is {self.done()[-1:]}")
            time.sleep(0.02)
        return time.monotonic()

    def file(self) -> int:
        """Which file the metrics are: another one each time the run goes on."""
        metrics = self.folder / "run/metrics.jsonl"
        return metrics.stat().st_ino if metrics.exists() else 0

    def goes_on(self, moment: float, before: int, file: int, reached: int) -> str:
        """Wait until the run has gone on ``before`` times before; how soon after a moment, and what is done again."""
        until = time.monotonic() + PATIENCE
        while len(said := self.said()) <= before:
            if time.monotonic() > until:
                raise SystemExit(f"the run does not go on within {PATIENCE:.0f} s")
            time.sleep(0.02)
        after, processes = said[before]
        seconds = self.wait(after + 1, file) - moment
        return f"step {after + 1} {seconds:.1f} s later, on {processes}; {max(0, reached - after)} steps done again"

    def said(self) -> list[tuple[int, str]]:
        """After which step the run has gone on each time, and on how many processes."""
        found = []
        for log in self.folder.glob("node_*.log"):
            for start in re.split(r"^recipe  ", log.read_text(errors="replace"), flags=re.MULTILINE)[1:]:
                processes = re.search(r"^processes +(\d+)", start, re.MULTILINE)
                if (after := re.search(r"goes on after step (\d+)$", start, re.MULTILINE)) is not None:
                    found.append((int(after[1]), f"{processes[1] if processes else 1} process(es)"))
        return sorted(found)


def steps_in(metrics: Path) -> Iterator[int]:
    """Of whole lines."""
    for line in metrics.read_bytes().split(b"\n") if metrics.exists() else ():
        try:
            yield int(json.loads(line)["step"])
        except (ValueError, KeyError):
            continue


def lose(*nodes: subprocess.Popen[bytes]) -> float:
    """SIGKILL launchers and all that they have started; the moment."""
    lost = [process for node in nodes for process in (node.pid, *below(node.pid))]
    for process in lost:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    moment = time.monotonic()
    for node in nodes:
        node.wait()
    return moment


def below(parent: int) -> Iterator[int]:
    """The processes that a process has started, and those that these have."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            own = int((place / "stat").read_text().rpartition(")")[2].split()[1]) == parent
        except OSError:
            continue
        if own:
            yield int(place.name)
            yield from below(int(place.name))


def shown_once(folder: Path, steps: int) -> str:
    """Whether TensorBoard shows each step's loss once."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        return "not looked at, tensorboard is not installed"
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return str([event.step for event in events.Scalars("train/loss")] == list(range(1, steps + 1)))


def main() -> int:
    """Lose machines; exit code 1 if the run does not come to its end, or a step does not stand once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"--rdzv-conf {QUICK}")
    parser.add_argument("--lost", choices=("other", "host"), default="other", help="which machine is lost first")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--every", type=int, default=20, help="steps from a checkpoint to the next")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
        free.close()
        cluster = Cluster(Path(scratch), port, options.steps, options.every, QUICK if options.quick else "")
        try:
            return check(cluster, options.lost)
        finally:
            lose(*(node for node in cluster.started if node.poll() is None))


def check(cluster: Cluster, lost: str) -> int:
    """The three losses, and the end."""
    began, part = time.monotonic(), cluster.steps // 4
    host, other = cluster.node(host=True), cluster.node(host=False)
    print(f"two machines begin: step 1 {cluster.wait(1) - began:.1f} s later", flush=True)
    cluster.wait(part)
    if lost == "host":
        moment = lose(host)
        code = other.wait(PATIENCE)
        seconds = time.monotonic() - moment
        print(
            f"the host of the rendezvous is lost: the other launcher ends by itself, with {code}, {seconds:.1f} s later"
        )
    else:
        file, reached, times = cluster.file(), cluster.done()[-1], len(cluster.said())
        said = cluster.goes_on(lose(other), times, file, reached)
        print(f"one is lost after step {reached}: {said}", flush=True)
        cluster.wait(2 * part)
        file, moment = cluster.file(), time.monotonic()
        other = cluster.node(host=False)
        print(f"another one comes: {cluster.goes_on(moment, times + 1, file, 0)}", flush=True)
        cluster.wait(3 * part)
        lose(host, other)
    file, reached, times, moment = cluster.file(), cluster.done()[-1], len(cluster.said()), time.monotonic()
    host, other = cluster.node(host=True), cluster.node(host=False)
    print(
        f"both are lost after step {reached} and started anew: {cluster.goes_on(moment, times, file, reached)}",
        flush=True,
    )
    codes = [host.wait(PATIENCE), other.wait(PATIENCE)]
    once = cluster.done() == list(range(1, cluster.steps + 1))
    print(f"exit codes {codes}; each of {cluster.steps} steps once in the metrics: {once}")
    shown = shown_once(cluster.folder / "run/tensorboard", cluster.steps)
    print(f"and once in TensorBoard: {shown}")
    return 0 if once and shown != "False" and codes == [0, 0] else 1


if __name__ == "__main__":
    raise SystemExit(main())
