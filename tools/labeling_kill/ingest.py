"""Kills `rankhub label ingest` at random moments, and looks at what it leaves in the table."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import rankhub
from rankhub_active.labeling.answers import AnswersError, ingest
from rankhub_active.labeling.pool import FILE, Pool
from rankhub_active.labeling.settings import Settings

When = Literal["before", "in", "after"]

_INGEST = """
import sys
import rankhub_active.labeling.answers, rankhub_active.labeling.pool, rankhub_active.labeling.summary
from rankhub_cli.main import execute
print("ready", flush=True)
sys.stdin.readline()
execute(["label", "ingest", sys.argv[2], "--folder", sys.argv[1]])
print("done", flush=True)
sys.stdin.readline()
"""
_TICK = 0.0002
"""Seconds between two looks at the journal."""


@dataclass(frozen=True, slots=True)
class Killed:
    """What a kill left.

    Attributes:
        moment: Seconds after the change was begun.
        when: Before, in or after the transaction: in it, the journal is there.
        labels: In the table afterwards.
        whole: Whether SQLite finds no damage.
        lawful: Whether there are all labels or none, and all are there once the file is taken again.
    """

    moment: float
    when: When
    labels: int
    whole: bool
    lawful: bool


class Child:
    """`rankhub label ingest` in a process of its own that waits, everything imported, for :meth:`begin`."""

    def __init__(self, folder: Path, answers: Path) -> None:
        path = os.pathsep.join([str(Path(rankhub.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _INGEST, str(folder), str(answers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._journal = folder / f"{FILE}-journal"
        self._read("ready")

    def begin(self) -> float:
        """Let it go; returns when."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return time.perf_counter()

    def transaction(self) -> None:
        """Wait until the transaction has begun, or the process has ended."""
        while not self._journal.exists() and self._process.poll() is None:
            time.sleep(_TICK)

    def committed(self) -> None:
        """Wait until the transaction has ended."""
        while self._journal.exists() and self._process.poll() is None:
            time.sleep(_TICK)

    def done(self) -> None:
        """Wait until the change is made."""
        self._read("done")

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.communicate()

    def _read(self, word: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise RuntimeError(f"ingest ended before it was {word}")


def make_pool(folder: Path, rows: int) -> Pool:
    """A pool of images that need not be there, in a new folder."""
    folder.mkdir(parents=True)
    settings = Settings(images=str(folder / "images"), takes="score", low=1, high=5)
    return Pool.create(folder, settings, [f"image_{number:06d}.jpg" for number in range(rows)])


def kill_ingest(scratch: Path, kills: int, *, rows: int, answers: int, seed: int = 0) -> Iterator[Killed]:
    """Kill `rankhub label ingest`, each time on the same new table, and say what each kill left.

    ``answers`` are rows of the file, spread over so many ``rows`` of the pool; ``seed`` draws the moments.
    """
    draw = random.Random(seed)
    pool = make_pool(scratch / "labeling", rows)
    file, before = scratch / "answers.csv", pool.file.read_bytes()
    chosen = draw.sample(range(rows), answers)
    lines = [f"image_{number:06d}.jpg,{draw.randint(1, 5)}\n" for number in chosen]
    file.write_text("path,score\n" + "".join(lines))
    start, end = _durations(pool.folder, file)
    for number in range(kills):
        pool.file.write_bytes(before)
        child = Child(pool.folder, file)
        begun = child.begin()
        within = number % 2 == 1
        if within:
            child.transaction()
        share = draw.random()
        time.sleep(share * (end - start) if within else share * 1.2 * end)
        moment = time.perf_counter() - begun
        child.kill()
        yield left(pool.folder, file, moment, answers)


def _durations(folder: Path, file: Path) -> tuple[float, float]:
    """Seconds until the transaction begins, and until it ends, of an undisturbed call."""
    child = Child(folder, file)
    begun = child.begin()
    child.transaction()
    start = time.perf_counter()
    child.committed()
    end = time.perf_counter()
    child.done()
    child.kill()
    return start - begun, end - begun


def left(folder: Path, file: Path, moment: float, answers: int) -> Killed:
    """Look at the table, and take the file of so many answers once more."""
    in_it = (folder / f"{FILE}-journal").exists()
    pool = Pool(folder)
    labels = len(pool.rows(state="labeled"))
    whole = not damage(pool)
    again = False
    try:
        ingest(pool, file)
    except AnswersError:
        again = True
    lawful = labels == (answers if again else 0) and len(pool.rows(state="labeled")) == answers and not damage(pool)
    return Killed(moment, "in" if in_it else "after" if labels else "before", labels, whole, lawful)


def damage(pool: Pool) -> str:
    """What SQLite finds damaged in the table; empty if it is whole."""
    with closing(sqlite3.connect(pool.file)) as table:
        found = table.execute("PRAGMA integrity_check").fetchall()
    return "" if found == [("ok",)] else str(found)
