"""Kills the server of the labeling page while answers come in, and looks at what it leaves in the table."""

from __future__ import annotations

import http.client
import json
import random
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from labeling_kill.ingest import damage
from rankhub_active.labeling.pool import Pool, PoolRow
from rankhub_active.labeling.settings import Settings

IMAGES, WRITERS = 60, 2
LONGEST = 0.8
"""Seconds after the first acknowledged answer after which a kill comes at the latest."""
PATIENCE = 60.0
"""Seconds that a server may take to start, or to answer."""


class BrokenError(Exception):
    """The table is not what the acknowledged answers say."""


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        number: From 1.
        after: Seconds between the first acknowledged answer and it.
        acknowledged: Answers that the server said were saved, since the last kill.
        pending: Answers that were sent and not acknowledged.
        kept: Those of ``pending`` that are in the table all the same.
    """

    number: int
    after: float
    acknowledged: int
    pending: int
    kept: int


@dataclass
class Writer:
    """Answers its own images over and over, as fast as the server takes it, until the server is gone.

    Attributes:
        url: Of the page.
        ids: Its images.
        value: The last one sent; each answer has a value of its own.
        sure: Image -> the value that the server said was saved last.
        pending: Image and value of the answer that was under way at the end.
        count: How many answers were acknowledged.
        failure: What went wrong other than the server's end.
    """

    url: str
    ids: list[int]
    value: int
    sure: dict[int, int] = field(default_factory=dict)
    pending: tuple[int, int] | None = None
    count: int = 0
    failure: Exception | None = None

    def run(self) -> None:
        """Answer until the server is gone."""
        versions: dict[int, str] = {}
        try:
            while True:
                for id in self.ids:
                    version = versions.get(id) or self._ask("GET", id)["version"]
                    self.value += 1
                    self.pending = (id, self.value)
                    saved = self._ask("POST", id, {"version": version, "label": self.value})
                    self.sure[id], self.pending, versions[id] = self.value, None, saved["version"]
                    self.count += 1
        except (OSError, http.client.HTTPException):
            return  # the server was killed
        except Exception as error:
            self.failure = error

    def _ask(self, method: str, id: int, what: dict[str, Any] | None = None) -> dict[str, Any]:
        address = urlsplit(self.url)
        body = None if what is None else json.dumps(what)
        connection = http.client.HTTPConnection(address.netloc, timeout=PATIENCE)
        try:
            connection.request(method, f"{address.path}api/images/{id}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()  # an answer that is cut short raises: it is no acknowledgement
            if answer.status != 200:
                raise BrokenError(f"image {id}: {answer.status} {text.decode()}")
            told: dict[str, Any] = json.loads(text)
            return told
        finally:
            connection.close()


def make_pool(folder: Path, images: int = IMAGES) -> Pool:
    """A pool of small images under ``folder``, all of them asked for, that takes counts."""
    pictures, labeling = folder / "images", folder / "labeling"
    pictures.mkdir(parents=True)
    labeling.mkdir()
    names = [f"{number:04}.png" for number in range(images)]
    for name in names:
        Image.new("RGB", (16, 16)).save(pictures / name)
    pool = Pool.create(labeling, Settings(images=str(pictures), takes="count"), names)
    pool.ask(range(images), "random", None, {})
    return pool


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The command as a user runs it; returns it and its URL."""
    command = [sys.executable, "-m", "rankhub", "label", "serve", "--folder", str(folder), "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None, "it was opened"
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    line = process.stdout.readline().strip() if ready else ""
    if not line.startswith("http://127.0.0.1:"):
        process.kill()
        process.wait()
        raise BrokenError(f"rankhub label serve did not start: {line or 'it said nothing'}")
    return process, line


def kill_serve(folder: Path, kills: int = 20, seed: int = 0, images: int = IMAGES) -> list[Kill]:
    """Start, answer from several clients, and kill at a random moment; over and over on one table.

    After each kill: SQLite finds the table whole; every image is in it once; each acknowledged answer is there with
    the value that was sent; an answer that was under way is there as it was sent, or not at all; nothing else changed.
    At last the server starts once more and tells the same.

    Args:
        folder: Empty; gets the images and the folder of labeling.
        kills: How many.
        seed: Of the moments.
        images: In the pool; one of them is never answered, such that there is always something to serve.

    Raises:
        BrokenError: One of this does not hold; the message says which.
    """
    pool, choose = make_pool(folder, images), random.Random(seed)
    before, value, url, history = pool.rows(), 0, "", []
    for number in range(1, kills + 1):
        process, found = start(pool.folder)
        if url and found != url:
            process.kill()
            raise BrokenError(f"the address changed from {url} to {found}")
        url, after = found, choose.uniform(0, LONGEST)
        writers = [Writer(url, list(range(first, images - 1, WRITERS)), value) for first in range(WRITERS)]
        threads = [threading.Thread(target=writer.run) for writer in writers]
        for thread in threads:
            thread.start()
        while not any(writer.count for writer in writers) and any(thread.is_alive() for thread in threads):
            time.sleep(0.001)
        time.sleep(after)
        process.kill()
        process.wait()
        for thread in threads:
            thread.join()
        before, kept = check(pool, before, writers)
        value = max(writer.value for writer in writers)
        pending = sum(writer.pending is not None for writer in writers)
        history.append(Kill(number, after, sum(writer.count for writer in writers), pending, kept))
    process, url = start(pool.folder)
    process.kill()
    process.wait()
    if pool.rows() != before:
        raise BrokenError("the last restart changed the table")
    return history


def check(pool: Pool, before: list[PoolRow], writers: list[Writer]) -> tuple[list[PoolRow], int]:
    """Compare the table with what was sent; returns its rows, and how many pending answers are in it.

    Raises:
        BrokenError: See :func:`kill_serve`.
    """
    for writer in writers:
        if writer.failure is not None:
            raise BrokenError(f"the server refused an answer: {writer.failure}") from writer.failure
    if found := damage(pool):
        raise BrokenError(f"the table is damaged: {found}")
    rows, kept = pool.rows(), 0
    if [row.path for row in rows] != [row.path for row in before]:
        raise BrokenError("images were lost, or are there twice")
    sure = {id: str(value) for writer in writers for id, value in writer.sure.items()}
    pending = {writer.pending[0]: str(writer.pending[1]) for writer in writers if writer.pending}
    for old, row in zip(before, rows, strict=True):
        expected = sure.get(row.id, old.label)
        if row.id in pending and row.label == pending[row.id] != expected:
            kept += 1
        elif row.label != expected:
            raise BrokenError(f"{row.path}: {expected} was acknowledged, and the table holds {row.label}")
        elif row.id not in sure and row != old:
            raise BrokenError(f"{row.path} changed without an answer: {old} became {row}")
    return rows, kept
