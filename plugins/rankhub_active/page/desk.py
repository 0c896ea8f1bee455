"""What a person does at the page, without the web: see a round, see an image, answer it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankhub import UserError
from rankhub_active.labeling import labels
from rankhub_active.labeling.labels import LabelError
from rankhub_active.labeling.moved import images_of
from rankhub_active.labeling.pictures import Unseen, size
from rankhub_active.labeling.pool import Pool, PoolRow

SOURCE = "page"


class Unknown(Exception):
    """There is no image of that number."""


class Conflict(Exception):
    """The image changed since the page looked at it.

    Args:
        row: What it is now.
    """

    def __init__(self, row: PoolRow) -> None:
        super().__init__(f"{row.path} got an answer meanwhile, in another window or from a file")
        self.row = row


@dataclass(frozen=True, slots=True)
class SubmittedLabel:
    """The label that a person gives an image on the page.

    Attributes:
        version: :func:`version` of the row that the person saw.
        label: A number, or points ``[[x, y], ...]``, as JSON gave it; without meaning if ``skip`` stands.
        skip: Whether the person cannot say.
    """

    version: str
    label: Any = None
    skip: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A round to label.

    Attributes:
        number: Of the round; None if no image was ever asked for.
        rows: Its images, the most wanted first, answered ones among them.
    """

    number: int | None
    rows: Sequence[PoolRow]

    @property
    def waiting(self) -> int:
        """How many have no answer."""
        return sum(row.state == "asked" for row in self.rows)


class Desk:
    """The pool as the page uses it: rounds, images, answers. Safe to use from several threads.

    Args:
        pool: The table.
        by: Who labels; goes into the table as part of each label's source. Empty = not said.

    Raises:
        UserError: The folder of images is not there.
    """

    def __init__(self, pool: Pool, by: str = "") -> None:
        self.pool, self.images = pool, images_of(pool)
        self._source = f"{SOURCE}: {by}" if by else SOURCE
        self._turn = threading.Lock()

    def sheet(self) -> Sheet:
        """The newest round that has an image without an answer; where there is none, the newest round."""
        asked = self.pool.rows(state="asked")
        number = max((row.round or 0 for row in asked), default=self.pool.rounds()[-1].number)
        if number == 0:
            return Sheet(None, ())
        # An image that a file answered without being asked for has no position, and is not part of the work.
        return Sheet(number, [row for row in self.pool.rows(round=number) if row.position is not None])

    def row(self, id: int) -> PoolRow:
        """One image.

        Raises:
            Unknown: There is none of that number.
        """
        row = self.pool.row(id)
        if row is None:
            raise Unknown(f"there is no image {id} in the pool")
        return row

    def file(self, row: PoolRow) -> Path:
        """Where an image lies."""
        return self.images / row.path

    def save(self, id: int, answer: SubmittedLabel) -> PoolRow:
        """Take an answer, once: the same answer again changes nothing and is no error.

        Returns:
            The image with its answer, which is in the table for good.

        Raises:
            Unknown: There is no such image.
            LabelError: The label cannot be taken; the message names the image.
            Conflict: The image got another answer since ``answer.version``.
            UserError: The table cannot be used at present.
        """
        label = None if answer.skip else self._label(self.row(id), answer.label)
        # One at a time, such that nothing comes between the look at the row and its change.
        with self._turn:
            row = self.row(id)
            if (row.state, row.label) == ("skipped" if answer.skip else "labeled", label):
                return row
            if version(row) != answer.version:
                raise Conflict(row)
            try:
                self._write(row, label)
            except UserError:
                now = self.row(id)
                if version(now) != answer.version:  # another process was faster
                    raise Conflict(now) from None
                raise
            return self.row(id)

    def _write(self, row: PoolRow, label: str | None) -> None:
        answers, skipped = ({}, [row.id]) if label is None else ({row.id: label}, [])
        self.pool.answer(answers, self._source, amend=row.state == "labeled", skipped=skipped)

    def _label(self, row: PoolRow, value: Any) -> str:
        try:
            if self.pool.settings.takes == "points":
                if not isinstance(value, list) or not all(isinstance(point, list) for point in value):
                    raise LabelError("expected a list of points, [[x, y], ...]")
                return labels.points(value, size(self.file(row)))
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise LabelError("expected a number")
            return labels.score(value, self.pool.settings)
        except (LabelError, Unseen) as error:
            raise LabelError(f"{row.path}: {error}") from None


def version(row: PoolRow) -> str:
    """A short text that differs whenever an image's answer does.

    The time of the answer alone would not do: two answers may come within its second.
    """
    return hashlib.sha256(repr((row.state, row.label, row.answered)).encode()).hexdigest()[:16]
