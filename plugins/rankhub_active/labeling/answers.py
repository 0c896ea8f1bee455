"""Takes files of answers into a pool: every row is checked first, and all are taken or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rankhub import UserError
from rankhub_active.labeling.answer_file import OPEN, SKIP, BadRow, GivenAnswer, Written, read_answers
from rankhub_active.labeling.labels import LabelError, points, read_points, score
from rankhub_active.labeling.names import PoolPaths, UnknownImageError
from rankhub_active.labeling.pictures import Unseen, size
from rankhub_active.labeling.pool import Pool, State
from rankhub_data.placed import doubts

SHOWN = 20
"""Faults that are listed; the rest are counted."""

_ANSWERED: tuple[State, ...] = ("labeled", "skipped")


class AnswersError(UserError):
    """Answers that cannot be taken: what is wrong with the file, as a sentence, and its rows that are, in its order."""

    def __init__(self, said: str, faults: Sequence[BadRow]) -> None:
        self.faults = list(faults)
        lines = [f"  {fault}" for fault in self.faults[:SHOWN]]
        if len(self.faults) > SHOWN:
            lines.append(f"  and {len(self.faults) - SHOWN:,} more")
        super().__init__("\n".join([said, *lines]))


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a file of answers has changed.

    Attributes:
        labeled: Images that have a label now, or another one.
        skipped: Images of which people cannot say.
        left_open: Images of the file that have no answer yet.
        unchanged: Images that had the same answer before.
        range: Lowest and highest of the numbers that were given; None of points, and of fewer than two.
    """

    labeled: int
    skipped: int
    left_open: int
    unchanged: int
    range: tuple[float, float] | None = field(default=None, compare=False)

    def sentence(self) -> str:
        """How many of each, for the reader."""
        parts = [f"{self.labeled:,} labeled", f"{self.skipped:,} skipped", f"{self.left_open:,} left open"]
        if self.unchanged:
            parts.append(f"{self.unchanged:,} the same as before")
        if self.range is not None:
            parts.append(f"labels from {self.range[0]:g} to {self.range[1]:g}")
        return ", ".join(parts)


def ingest(pool: Pool, source: Path, *, amend: bool = False) -> Ingested:
    """Take the answers of a file, all of them in one change, or none.

    ``amend``: whether an image that has a label may get another one.

    Raises:
        AnswersError: Some rows cannot be taken; nothing is changed.
        UserError: The file or the table cannot be used; nothing is changed.
    """
    checked = _Check(pool, read_answers(source, pool.settings.takes), amend)
    if checked.faults:
        raise AnswersError(_sentence(source, checked), checked.faults)
    if checked.labels or checked.skipped:
        pool.answer(checked.labels, source.name, amend=amend, skipped=checked.skipped)
    numbers = [float(label) for label in checked.labels.values()] if pool.settings.takes != "points" else []
    span = (min(numbers), max(numbers)) if len(numbers) > 1 else None
    return Ingested(len(checked.labels), len(checked.skipped), checked.left_open, checked.unchanged, span)


class _Check:
    """Checks the rows of a file against a pool, and says what is to be done with them.

    Attributes:
        labels: Image -> its label as the table keeps it.
        skipped: Of which people cannot say.
        left_open: Images without an answer.
        unchanged: Images that had the same answer before, and may be left as they are.
        known: Faults that are no more than that: labeled already, with the same label.
        other: Faults that an image is labeled already, with another label.
        faults: All, in the file's order.
    """

    def __init__(self, pool: Pool, written: Written, amend: bool) -> None:
        self._settings, self._amend = pool.settings, amend
        ids = pool.ids()
        self._paths = {id: path for path, id in ids.items()}
        # Of the rows only those are read that have an answer: of a large pool, all of them take longer than the rest.
        self._answered = {row.id: row for state in _ANSWERED for row in pool.rows(state=state)}
        self._names = PoolPaths(ids, pool.settings.images)
        self._given: dict[int, GivenAnswer] = {}
        self.labels: dict[int, str] = {}
        self.skipped: list[int] = []
        self.left_open = self.unchanged = self.known = self.other = 0
        self.faults = list(written.faults)
        for id, given in self._by_image(written).items():
            try:
                said = _whole(given) if written.pointwise else given[0].value
                self._take(id, said, given[0])
            except LabelError as error:
                self._fault(given[0].line, f"{given[0].path}: {error}")
        if self._settings.takes == "points":
            self._doubt()
        self.faults.sort(key=lambda fault: fault.line or 0)

    def _by_image(self, written: Written) -> dict[int, list[GivenAnswer]]:
        """What is said of each image, in the file's order."""
        found: dict[int, list[GivenAnswer]] = {}
        unknown = 0
        for given in written.rows:
            try:
                of = found.setdefault(self._names.id(given.path), [])
            except UnknownImageError as error:
                unknown += 1
                hint = self._names.hint(given.path) if unknown <= SHOWN else ""
                self._fault(given.line, f"{given.path}: {error}{hint}")
                continue
            if of and not written.pointwise:
                before = f"line {of[0].line}" if of[0].line is not None else of[0].path
                self._fault(given.line, f"{given.path}: answered already in {before}; keep one of the two")
            else:
                of.append(given)
        return found

    def _take(self, id: int, value: Any, given: GivenAnswer) -> None:
        before = self._answered.get(id)
        if value == OPEN:
            self.left_open += before is None or before.label is None
            return
        label = None if value == SKIP else self._label(id, value)
        same = before is not None and _same(before.label, label, self._settings.takes == "points")
        if before is not None and before.label is not None and not self._amend:
            self.known += same
            self.other += not same
            what = "the same label" if same else self._shown(before.label)
            self._fault(given.line, f"{given.path}: labeled already, with {what}")
        elif same:
            self.unchanged += 1
        elif label is None:
            self.skipped.append(id)
        else:
            self.labels[id] = label
            self._given[id] = given

    def _label(self, id: int, value: Any) -> str:
        if self._settings.takes != "points":
            return score(value, self._settings)
        if not isinstance(value, list):
            raise LabelError(f"{str(value)[:40]} is no list of points; expected [[x, y], ...]")
        return points(value, self._size(id) if value else (0, 0))

    def _doubt(self) -> None:
        """Refuse points that cannot be what was meant."""
        ids = list(self.labels)
        found = doubts([np.array(read_points(self.labels[id])).reshape(-1, 2) for id in ids])
        for number, said in found.items():
            given = self._given[ids[number]]
            self._fault(given.line, f"{given.path}: {said}")

    def _size(self, id: int) -> tuple[int, int]:
        try:
            return size(Path(self._settings.images, self._paths[id]))
        except Unseen as error:
            raise LabelError(f"its points cannot be checked: {error}") from None

    def _shown(self, label: str) -> str:
        if self._settings.takes != "points":
            return label.removesuffix(".0")
        count = len(read_points(label))
        return "one point" if count == 1 else f"{count} points"

    def _fault(self, line: int | None, text: str) -> None:
        self.faults.append(BadRow(line, text))


def _whole(given: Sequence[GivenAnswer]) -> Any:
    """All points of an image whose points stand in rows of their own.

    Raises:
        LabelError: One row says that there are points, and another that there is none, or that nobody can say.
    """
    if len(given) == 1:
        return given[0].value
    for each in given:
        if each.value in (OPEN, SKIP, []):
            what = "has no point" if each.value == [] else "is skipped" if each.value == SKIP else "is not answered"
            raise LabelError(f"by line {each.line} it {what}, yet there are other lines of it; keep what is true")
    return [point for each in given for point in each.value]


def _same(before: str | None, now: str | None, is_points: bool) -> bool:
    if before is None or now is None or not is_points:
        return before == now
    return sorted(read_points(before)) == sorted(read_points(now))


def _sentence(source: Path, checked: _Check) -> str:
    """What is wrong with a file, on the whole."""
    number, known, already = len(checked.faults), checked.known, checked.known + checked.other
    if number == known and not (checked.labels or checked.skipped):
        every = "the one answer" if number == 1 else f"all {number:,} answers"
        return f"{every} in {source} stood in the table before, with the same label; there is nothing left to take:"
    advice = ""
    if already == number:
        advice = "; --amend replaces their labels" if checked.other else "; --amend leaves them as they are"
    rows = "one row" if number == 1 else f"{number:,} rows"
    return f"{source}: {rows} cannot be taken, and nothing was changed{advice}:"
