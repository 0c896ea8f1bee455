"""The table of a pool: every image, what is known of it, and when it was asked for.

One SQLite file. Each change is one transaction, so that a process that is killed, or a machine that loses its power,
leaves the table as it was before the change or after it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rankhub import UserError
from rankhub.interfaces.files import typed, unwritable
from rankhub_active.labeling.settings import Settings

FILE = "pool.db"
RESTORE = "put a copy of it in its place"
"""What helps where the table is damaged."""
PATIENCE = 30.0
"""Seconds that a change waits for another process to end its own."""

Part = Literal["pool", "test"]
State = Literal["unlabeled", "asked", "labeled", "skipped"]

_APPLICATION, _FORMAT = 0x726B6C62, 1
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE rounds (
    number INTEGER PRIMARY KEY, asked INTEGER NOT NULL, by TEXT NOT NULL, run TEXT, made TEXT NOT NULL, trained TEXT
);
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    part TEXT NOT NULL CHECK (part IN ('pool', 'test')),
    state TEXT NOT NULL CHECK (state IN ('unlabeled', 'asked', 'labeled', 'skipped')),
    label TEXT,
    round INTEGER REFERENCES rounds (number),
    place INTEGER,
    score REAL,
    source TEXT,
    answered TEXT,
    CHECK ((state = 'labeled') = (label IS NOT NULL))
);
CREATE INDEX images_by_state ON images (state, round, place);
"""
_COLUMNS = "id, path, part, state, label, round, place, score, source, answered"


@dataclass(frozen=True, slots=True)
class PoolRow:
    """An image of the pool.

    Attributes:
        id: From 0; the row of the pool.
        path: Relative to the folder of images.
        part: ``test`` images are never trained on.
        state: ``asked`` = chosen in a round, without an answer yet; ``skipped`` = people could not say.
        label: As text: a number, or the points as JSON ``[[x, y], ...]``; None unless labeled.
        round: In which it was asked for, or answered without being asked; 0 = known from the start.
        position: Its position in that round, from 0, the most wanted first.
        score: What the acquirer gave it when it last looked; higher = label it sooner.
        source: Where the label came from: a file, or the page.
        answered: When, UTC, ISO 8601.
    """

    id: int
    path: str
    part: Part
    state: State
    label: str | None = None
    round: int | None = None
    position: int | None = None
    score: float | None = None
    source: str | None = None
    answered: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One time that images were chosen.

    Attributes:
        number: 0 = the labels known from the start.
        asked: How many images.
        by: The acquirer, with its options.
        run: Folder of the run whose network chose; None without a network.
        made: When, UTC, ISO 8601.
        trained: Folder of the run that learned from the labels up to this round, where there is one.
    """

    number: int
    asked: int
    by: str
    run: str | None
    made: str
    trained: str | None = None


class Pool:
    """The table in a folder of labeling. Safe to use from several threads and processes.

    Args:
        folder: Of labeling; :meth:`create` makes the table in it.

    Raises:
        UserError: There is no table in ``folder``, or not one of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / FILE
        if not self.file.is_file():
            raise UserError(f"{folder.absolute()} holds no pool: {FILE} is not in it; make one: rankhub label init")
        with self._connection() as table:
            found = (self._pragma(table, "application_id"), self._pragma(table, "user_version"))
            if found != (_APPLICATION, _FORMAT):
                raise UserError(f"{self.file.absolute()} is not a pool of this version of rankhub")
            found = table.execute("SELECT value FROM meta WHERE key = 'settings'").fetchone()
            begun = table.execute("SELECT COUNT(*) FROM rounds WHERE number = 0").fetchone()[0]
        if not found or not begun:
            raise UserError(f"{self.file.absolute()} is damaged: it lacks its settings or its rounds; {RESTORE}")
        self.settings: Settings = typed(found[0], Settings, self.file.absolute(), RESTORE)

    @classmethod
    def create(cls, folder: Path, settings: Settings, paths: Sequence[str], test: Iterable[str] = ()) -> Pool:
        """Make the table.

        ``paths`` are those of all images, relative to ``settings.images`` and all different, ``test`` those that are
        test images.

        Raises:
            UserError: There is a table already.
        """
        file, beside = folder / FILE, folder / f"{FILE}.partial"
        if file.exists():
            raise UserError(f"{folder.absolute()} holds a pool already; name another folder")
        for stale in (beside, folder / f"{beside.name}-journal"):  # of a process that was killed here
            stale.unlink(missing_ok=True)
        held = set(test)
        rows = [(number, path, "test" if path in held else "pool") for number, path in enumerate(sorted(paths))]
        try:
            with closing(sqlite3.connect(beside, isolation_level=None)) as table:
                table.executescript(_SCHEMA)
                table.execute(f"PRAGMA application_id = {_APPLICATION}")
                table.execute(f"PRAGMA user_version = {_FORMAT}")
                table.execute("BEGIN")
                table.execute("INSERT INTO meta VALUES ('settings', ?)", (settings.model_dump_json(),))
                table.execute(
                    "INSERT INTO rounds VALUES (0, 0, 'labels known from the start', NULL, ?, NULL)", (now(),)
                )
                table.executemany("INSERT INTO images (id, path, part, state) VALUES (?, ?, ?, 'unlabeled')", rows)
                table.execute("COMMIT")
            beside.replace(file)
        except (sqlite3.OperationalError, OSError) as error:
            beside.unlink(missing_ok=True)
            raise unwritable(file.absolute(), error, "make room, or name another folder") from error
        return cls(folder)

    def rows(self, *, state: State | None = None, part: Part | None = None, round: int | None = None) -> list[PoolRow]:
        """The images, or those of a state, a part or a round, by ``id``; of a round by their position in it."""
        wanted = {"state": state, "part": part, "round": round}
        terms = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in terms) or "1"
        order = "place IS NULL, place, id" if round is not None else "id"  # unasked ones last
        with self._connection() as table:
            found = table.execute(f"SELECT {_COLUMNS} FROM images WHERE {where} ORDER BY {order}", terms).fetchall()
        return [PoolRow(*values) for values in found]

    def row(self, id: int) -> PoolRow | None:
        """One image; None if there is none of that number."""
        with self._connection() as table:
            values = table.execute(f"SELECT {_COLUMNS} FROM images WHERE id = ?", (id,)).fetchone()
        return None if values is None else PoolRow(*values)

    def ids(self) -> dict[str, int]:
        """Path -> id of every image."""
        with self._connection() as table:
            return dict(table.execute("SELECT path, id FROM images"))

    def counts(self) -> dict[tuple[Part, State], int]:
        """How many images there are of each part and state."""
        with self._connection() as table:
            found = table.execute("SELECT part, state, COUNT(*) FROM images GROUP BY part, state").fetchall()
        return {(part, state): number for part, state, number in found}

    def rounds(self) -> list[Round]:
        """The rounds by their number, round 0 the first."""
        with self._connection() as table:
            found = table.execute("SELECT number, asked, by, run, made, trained FROM rounds ORDER BY number").fetchall()
        return [
            Round(number, asked, by, self._outside(run), made, self._outside(trained))
            for number, asked, by, run, made, trained in found
        ]

    def add(self, paths: Sequence[str]) -> None:
        """Take further images into the pool, by paths relative to the folder of images; none is in the table."""
        with self._change() as table:
            first = int(table.execute("SELECT COALESCE(MAX(id), -1) + 1 FROM images").fetchone()[0])
            rows = [(first + number, path) for number, path in enumerate(sorted(paths))]
            table.executemany("INSERT INTO images (id, path, part, state) VALUES (?, ?, 'pool', 'unlabeled')", rows)

    def ask(self, chosen: Sequence[int], by: str, run: str | None, scores: Mapping[int, float]) -> int:
        """Begin a round; returns its number.

        ``chosen`` are images without a label, the most wanted first; ``scores`` are of all images that were looked at.

        Raises:
            UserError: One of them was answered, skipped or asked for meanwhile; nothing is changed.
        """
        with self._change() as table:
            number = int(table.execute("SELECT MAX(number) FROM rounds").fetchone()[0]) + 1
            values = (number, len(chosen), by, self._inside(run), now())
            table.execute("INSERT INTO rounds VALUES (?, ?, ?, ?, ?, NULL)", values)
            table.executemany("UPDATE images SET score = ? WHERE id = ?", [(s, id) for id, s in scores.items()])
            done = table.executemany(
                "UPDATE images SET state = 'asked', round = ?, place = ? WHERE id = ? AND state = 'unlabeled'",
                [(number, position, id) for position, id in enumerate(chosen)],
            )
            if done.rowcount != len(chosen):
                raise UserError(f"{len(chosen) - done.rowcount} of the chosen images are no longer free; choose again")
        return number

    def answer(
        self, answers: Mapping[int, str], source: str, *, amend: bool = False, skipped: Iterable[int] = ()
    ) -> None:
        """Take labels, all of them or none.

        ``answers``: image -> its label as text, already checked. ``amend``: whether an image that has a label may get
        another one, or be skipped. ``skipped``: images of which people cannot say, in the same change.

        Raises:
            UserError: An image is not there, or has a label and ``amend`` does not stand; nothing is changed.
        """
        states, time, passed = "1" if amend else "state <> 'labeled'", now(), list(skipped)
        with self._change() as table:
            last = int(table.execute("SELECT MAX(number) FROM rounds").fetchone()[0])
            labeled = table.executemany(
                "UPDATE images SET state = 'labeled', label = ?, source = ?, answered = ?, round = COALESCE(round, ?) "
                f"WHERE id = ? AND {states}",
                [(label, source, time, last, id) for id, label in answers.items()],
            )
            skips = table.executemany(
                "UPDATE images SET state = 'skipped', label = NULL, source = ?, answered = ? "
                f"WHERE id = ? AND {states}",
                [(source, time, id) for id in passed],
            )
            done = labeled.rowcount + skips.rowcount
            if done != (wanted := len(answers) + len(passed)):
                raise UserError(
                    f"{wanted - done} of {wanted} images are not in the pool or have a label already; nothing was "
                    "changed"
                )

    def skip(self, id: int, source: str) -> None:
        """Note that people cannot say: the image is asked for no more. A label that it had is dropped.

        Raises:
            UserError: There is no such image.
        """
        with self._change() as table:
            done = table.execute(
                "UPDATE images SET state = 'skipped', label = NULL, source = ?, answered = ? WHERE id = ?",
                (source, now(), id),
            )
            if done.rowcount != 1:
                raise UserError(f"there is no image {id} in {self.file}")

    def trained(self, number: int, run: str) -> None:
        """Note the run that learned from the labels up to a round."""
        with self._change() as table:
            table.execute("UPDATE rounds SET trained = ? WHERE number = ?", (self._inside(run), number))

    def settle(self, settings: Settings) -> None:
        """Take other settings; this instance, and others that are open, keep those that they read."""
        with self._change() as table:
            table.execute("UPDATE meta SET value = ? WHERE key = 'settings'", (settings.model_dump_json(),))

    def _inside(self, run: str | None) -> str | None:
        """A run's folder as it is kept: below the folder of labeling relative to it, so that both may move."""
        home = self.folder.absolute()
        kept = run is not None and Path(run).is_relative_to(home)
        return Path(run or "").relative_to(home).as_posix() if kept else run

    def _outside(self, run: str | None) -> str | None:
        """The absolute folder of a run, given what is kept."""
        return None if run is None else str(self.folder.absolute() / run)

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, or, where anything is raised, nothing."""
        with self._connection() as table:
            table.execute("PRAGMA synchronous = EXTRA")  # what was said to be saved outlives a loss of power too
            table.execute("BEGIN IMMEDIATE")
            try:
                yield table
            except BaseException:
                if table.in_transaction:  # a full disk has ended it already
                    table.execute("ROLLBACK")
                raise
            table.execute("COMMIT")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own for each use: threads cannot share one, and opening it takes a tenth of a ms."""
        try:
            # "rw": a table that is gone is an error, and no new, empty one.
            uri = f"{self.file.absolute().as_uri()}?mode=rw"
            table = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None)
            try:
                yield table
            finally:
                table.close()
        except sqlite3.OperationalError as error:
            raise UserError(f"the pool {self.file.absolute()} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise UserError(f"{self.file.absolute()} is no pool, or is damaged: {error}; {RESTORE}") from error

    @staticmethod
    def _pragma(table: sqlite3.Connection, name: str) -> Any:
        return table.execute(f"PRAGMA {name}").fetchone()[0]


def now() -> str:
    """The time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
