"""What has been labeled so far, round by round, and what to do next."""

from __future__ import annotations

import csv
import math
import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rankhub_active.labeling.pool import Pool, PoolRow, Round, State
from rankhub_active.labeling.settings import RESOLVED

DEFAULT = Path("labeling")
"""The folder that the commands take where none is named."""

_RESULTS = "results.csv"
"""In a run's folder: its closing table."""


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """How far a round has come.

    Attributes:
        round: The round.
        states: State -> how many of the images that were asked for in it.
        besides: Images that were labeled during the round without being asked for.
        result: The first figure of the last row of the trained run's table (``"quality srocc 0.912"``); None without.
    """

    round: Round
    states: Counter[State]
    besides: int
    result: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How far a labeling has come.

    Attributes:
        rounds: Round 0, the labels known from the start, only where there are some.
        parts: Part -> state -> how many images; a part without images is left out.
        advice: What to do next, as the end of a sentence.
    """

    rounds: Sequence[RoundSummary]
    parts: dict[str, Counter[State]]
    advice: str


def summarize(pool: Pool) -> Summary:
    """All that `rankhub label status` shows."""
    rows, rounds = pool.rows(), pool.rounds()
    parts: dict[str, Counter[State]] = {}
    asked: dict[int, Counter[State]] = {each.number: Counter() for each in rounds}
    besides: Counter[int] = Counter()
    for row in rows:
        parts.setdefault(row.part, Counter())[row.state] += 1
        if row.round is None:
            continue
        if row.position is not None or row.round == 0:
            asked[row.round][row.state] += 1
        elif row.state == "labeled":
            besides[row.round] += 1
    found = [RoundSummary(one, asked[one.number], besides[one.number], result(one.trained)) for one in rounds]
    if not found[0].states:
        found = found[1:]
    return Summary(found, parts, _advice(pool, rows, rounds))


def advice(pool: Pool) -> str:
    """What to do next, as the end of a sentence: a command, or two."""
    return _advice(pool, pool.rows(), pool.rounds())


def result(run: str | None) -> str | None:
    """The first figure in the last row of a run's closing table, with its name; None where there is none."""
    if run is None:
        return None
    try:
        with Path(run, _RESULTS).open(newline="", encoding="utf-8") as file:
            *_, last = csv.DictReader(file)
    except (OSError, ValueError, csv.Error):
        return None
    for name, text in last.items():
        try:
            number = float(text)
        except (TypeError, ValueError):
            continue
        if name and not math.isnan(number):
            return f"{name} {number:.3f}"
    return None


def _advice(pool: Pool, rows: Sequence[PoolRow], rounds: Sequence[Round]) -> str:
    waiting = [row for row in rows if row.state == "asked"]
    learns = pool.settings.labeled is not None
    fresh = _fresh(rows, rounds) if learns else 0
    train = f"train on {_images(fresh, 'new label')}: {_command(pool, 'train')}"
    if waiting:
        number = max(row.round or 0 for row in waiting)
        form = pool.folder / "rounds" / f"{number:03d}" / "answers.csv"
        source = shlex.quote(str(form)) if form.is_file() else "FILE"
        said = (
            f"answer {_images(len(waiting), 'open image')}: {_command(pool, 'serve')}, or "
            f"{_command(pool, f'ingest {source}')}"
        )
        return f"{said}; or {train}" if fresh else said
    if fresh:
        return train
    if any(row.state == "unlabeled" and row.part == "pool" for row in rows):
        return f"choose images to label: {_command(pool, 'next')}"
    return f"nothing; every image of the pool was asked for. Write the labels out: {_command(pool, 'export FILE')}"


def _fresh(rows: Sequence[PoolRow], rounds: Sequence[Round]) -> int:
    """Labels that no run has learned from: of later rounds than the last that was trained, or given since it began."""
    labels = [row for row in rows if row.state == "labeled" and row.part == "pool"]
    trained = [one for one in rounds if one.trained is not None]
    if not trained:
        return len(labels)
    last = trained[-1]
    try:
        begun = datetime.fromtimestamp(Path(last.trained or "", RESOLVED).stat().st_mtime, UTC)
    except OSError:
        return sum((row.round or 0) > last.number for row in labels)
    return sum((row.round or 0) > last.number or _time(row) > begun for row in labels)


def _time(row: PoolRow) -> datetime:
    with suppress(ValueError):  # damaged: as if it were old
        if row.answered:
            return datetime.fromisoformat(row.answered).replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)


def _images(count: int, what: str) -> str:
    return f"the one {what}" if count == 1 else f"the {count:,} {what}s"


def folder_flag(pool: Pool) -> str:
    """What a command on this pool needs beside its verb: nothing, or `` --folder PATH``."""
    return "" if pool.folder == DEFAULT else f" --folder {shlex.quote(str(pool.folder))}"


def _command(pool: Pool, words: str) -> str:
    return f"rankhub label {words}{folder_flag(pool)}"
