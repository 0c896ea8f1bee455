"""Kills a run at random moments, resumes it each time, and compares the final weights with an uninterrupted run.

    python tools/check_kill.py                  # ten kills
    python tools/check_kill.py --kills 3

Runs the quickstart's recipe, shortened, through the command line. Every kill is a SIGKILL. Prints for each kill how
far the run had come, then whether the weights are the same bit for bit and each step stands in the metrics once.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OVERRIDES = [
    "epochs=8",
    "evaluate=[]",
    "threads=1",
    "checkpoint.every_epochs=null",
    "checkpoint.every_steps=7",
]


def command(*arguments: str) -> list[str]:
    """The command line as a user runs it."""
    return [sys.executable, "-m", "rankhub", "run", *arguments]


def steps_of(folder: Path) -> list[int]:
    """The steps in the metrics; a line cut short by the kill is passed over."""
    path = folder / "metrics.jsonl"
    steps = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            steps.append(int(json.loads(line)["step"]))
        except ValueError:
            continue
    return steps


def final(folder: Path) -> tuple[str, bytes]:
    """Name and weights of the last checkpoint."""
    last = sorted(path for path in (folder / "checkpoints").glob("step_*") if not path.suffix)[-1]
    return last.name, (last / "model.safetensors").read_bytes()


def killed_run(folder: Path, kills: int, seed: int) -> list[tuple[int, str]]:
    """Run with kills; returns for each how many steps were in the metrics and the last checkpoint then."""
    choose = random.Random(seed)
    history = []
    for number in range(kills):
        begin = [*OVERRIDES, "--out", str(folder)]
        started = (folder / "recipe.resolved.yaml").exists()
        arguments = ["--resume", str(folder)] if started else ["quickstart", *begin]
        process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The moment is drawn in steps, not in seconds, so that start-up does not swallow the kills.
        before = len(steps_of(folder))
        target = before + choose.randint(1, 24) if number else 3
        while process.poll() is None and len(steps_of(folder)) < target:
            time.sleep(0.02)
        time.sleep(choose.random() * 0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
        checkpoints = sorted(p.name for p in folder.glob("checkpoints/step_*") if not p.suffix)
        history.append((len(steps_of(folder)), checkpoints[-1] if checkpoints else "none"))
    subprocess.run(command("--resume", str(folder)), check=True, stdout=subprocess.DEVNULL)
    return history


def main() -> int:
    """Compare; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        whole, cut = Path(scratch) / "whole", Path(scratch) / "cut"
        subprocess.run(command("quickstart", *OVERRIDES, "--out", str(whole)), check=True, stdout=subprocess.DEVNULL)
        steps = steps_of(whole)
        per_epoch = len(steps) // 8
        history = killed_run(cut, options.kills, options.seed)
        for number, (done, last) in enumerate(history, 1):
            middle = "in the middle of an epoch" if done % per_epoch else "at the end of an epoch"
            print(f"kill {number}: after step {done} of {len(steps)} ({middle}), last checkpoint {last}")
        same = final(whole) == final(cut)
        once = steps_of(cut) == steps
        print(f"final weights bit-identical: {same}")
        print(f"each of {len(steps)} steps once in the metrics: {once}")
        return 0 if same and once else 1


if __name__ == "__main__":
    raise SystemExit(main())
