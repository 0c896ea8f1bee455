"""What an annotation file says, row by row, and whether it can be true."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_tables.wording import some


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One scored image.

    Attributes:
        path: Of the image, relative to the data set's folder.
        score: On the data set's own scale.
        location: Where the row stands in the annotation file, for sentences ("line 7").
        reference: The pristine image that it was made from; empty where there is none.
        kind: Of distortion; empty where it is not known.
        wanted: Whether the row filters (such as ``kinds``) leave it. A row that they do not leave is never served and
            may have no score, but the split is drawn among it too, so that other filters do not split otherwise.
    """

    path: str
    score: float
    location: str
    reference: str = ""
    kind: str = ""
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """The rows of an annotation file.

    Attributes:
        source: The file; absolute.
        rows: In the file's order.
        notes: What was passed over, as sentences for the user.
    """

    source: Path
    rows: Sequence[ScoredRow]
    notes: Sequence[str] = ()

    @property
    def wanted(self) -> ScoreTable:
        """The rows that row filters leave."""
        return self.only(lambda row: row.wanted)

    @property
    def one_each(self) -> ScoreTable:
        """One row of each path, in an order that does not depend on row filters; the wanted one where there is one.

        At most one row of each path is wanted (:func:`check_table` sees to it); rows without a path are dropped.
        """
        rows: dict[str, ScoredRow] = {}
        for row in self.rows:
            if row.path and (row.wanted or row.path not in rows):
                rows[row.path] = row
        return ScoreTable(self.source, list(rows.values()), self.notes)

    def only(self, keep: Callable[[ScoredRow], bool]) -> ScoreTable:
        """The rows for which ``keep`` is true."""
        return ScoreTable(self.source, [row for row in self.rows if keep(row)], self.notes)


def check_table(table: ScoreTable, label: LabelSpec) -> None:
    """Refuse a table whose scores cannot be trained on.

    Args:
        table: As it was read.
        label: What the scores are; its ``range`` bounds them.

    Raises:
        UserError: There is no row, a score is not finite or outside the range, or a path occurs twice.
    """
    if not table.rows:
        raise UserError(f"{table.source} has no scores")
    if infinite := [row for row in table.rows if not math.isfinite(row.score)]:
        raise UserError(
            f"{table.source}: {_scores(len(infinite))} no finite number: {locations(infinite)}; put the number in, or "
            "take the rows out"
        )
    if label.range is not None:
        low, high = label.range
        if outside := [row for row in table.rows if not low <= row.score <= high]:
            raise UserError(
                f"{table.source}: {_scores(len(outside))} outside {low:g} to {high:g}: "
                f"{some([f'{row.score:g} ({row.location})' for row in outside])}; "
                "this is another scale or a wrong entry"
            )
    first: dict[str, ScoredRow] = {}
    twice = [(first[row.path], row) for row in table.rows if first.setdefault(row.path, row) is not row]
    if twice:
        said = some([f"{again.path} ({once.location} and {again.location})" for once, again in twice])
        raise UserError(f"{table.source} scores an image more than once: {said}; keep one row of each")


def check_lengths(source: Path, expected: int, what: str, **found: int) -> None:
    """Refuse files whose lists do not belong together.

    Args:
        source: The file, or the folder of the files.
        expected: How many entries each list has in the data set as released.
        what: What there are so many of ("distorted images").
        **found: Name of a list -> its length.

    Raises:
        UserError: A list has another length; altered copies of such files are about.
    """
    if wrong := {name: length for name, length in found.items() if length != expected}:
        said = ", ".join(f"`{name}` has {length:,}" for name, length in wrong.items())
        raise UserError(
            f"{source}: {said} where {expected:,} {what} are expected; this is not the file as released, and scores "
            "would go to the wrong images: get the original"
        )


def check_references(table: ScoreTable, expected: int) -> None:
    """Refuse a table that names more or fewer references than the data set has.

    Names that were taken apart wrongly, or written in two ways, would put versions of one reference on both sides of
    a split.

    Args:
        table: All rows of the release.
        expected: How many references the data set has as released.

    Raises:
        UserError: There is another number.
    """
    found = len({row.reference for row in table.rows})
    if found != expected:
        raise UserError(
            f"{table.source}: the images have {found:,} references where {expected:,} are expected; this is not the "
            "file as released, and versions of one reference could be on both sides of a split: get the original"
        )


def locations(rows: Iterable[ScoredRow]) -> str:
    """Where the first few rows stand, and how many more there are."""
    return some([row.location for row in rows])


def _scores(count: int) -> str:
    return "one score is" if count == 1 else f"{count:,} scores are"
