"""Images of one's own, and a table of their scores."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection, UserError
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import ScoredRow, ScoreTable
from rankhub_tables.delimited import read_delimited
from rankhub_tables.names import composed, folded, spelled
from rankhub_tables.table import Record, Table
from rankhub_tables.wording import some


class ScoredCsv(ScoredVersions):
    """Images of one's own with their scores in a table: comma, tab or semicolon, the first line names the columns.

    Which way the scores run has to be said; a wrong guess would train the opposite.

    Where ``reference`` names a column, images are split by it: versions of one picture on both sides of a split would
    let a network pass by knowing the picture; names that differ in case, in how accents are written or in ``./`` are of
    one picture. The split is drawn among all rows of the table, and ``where`` filters after it, as ``kinds`` does: two
    entries with different filters have no reference on both sides. To make folds of a subset, write a table of it, or
    name the other references in ``leave_out``.

    Args:
        higher_is_better: Whether a higher score is the better one (as MOS) or the worse one (as DMOS).
        table: The table, relative to ``root`` or absolute; text in UTF-8.
        path: Column of the images' paths, relative to ``root``.
        score: Column of the scores.
        reference: Column that names the pristine image that each image was made from; it need not be a file.
        kind: Column that names the kind of distortion.
        where: Column -> value: only rows that have these values. The other rows need no score, and no image unless
            images are split without ``reference``; the split does not depend on them.
        range: Lowest and highest possible score; one outside is an error.
        unit: What a score is called in reports, such as MOS.
    """

    remedy: ClassVar[str] = "set `table` to the table of scores, relative to `root`"

    def __init__(
        self,
        *,
        root: str,
        higher_is_better: bool,
        table: str = "labels.csv",
        path: str = "path",
        score: str = "score",
        reference: str | None = None,
        kind: str | None = None,
        where: dict[str, str] | None = None,
        range: tuple[float, float] | None = None,
        unit: str = "score",
        kinds: list[str] | None = None,
        leave_out: list[str] | None = None,
        **options: Any,
    ) -> None:
        if range is not None and not range[0] < range[1]:
            raise Objection(f"`range` takes the lowest and then the highest score, not {list(range)}")
        if kinds is not None and kind is None:
            raise Objection("`kinds` chooses among the values of the column `kind`; name that column")
        if leave_out and reference is None:
            raise Objection("`leave_out` names values of the column `reference`; name that column")
        self.scale = LabelSpec(kind="score", higher_is_better=higher_is_better, range=range, unit=unit)
        kinds, leave_out = (None if each is None else list(map(composed, each)) for each in (kinds, leave_out))
        super().__init__(root=root, kinds=kinds, leave_out=leave_out, **options)
        self.table = os.path.expanduser(table)
        self.path = path
        self.score = score
        self.reference = reference
        self.kind = kind
        self.where = where or {}

    @property
    def expected(self) -> Sequence[str]:
        """The table."""
        return [self.table]

    def read_table(self) -> ScoreTable:
        """All rows; those that ``where`` does not leave are not wanted, and their score is no number."""
        source = self.root / self.table
        wanted = [self.path, self.score, *(name for name in (self.reference, self.kind) if name), *self.where]
        table = read_delimited(source, list(dict.fromkeys(wanted)))
        wants = [all(self._is(record, column) for column in self.where) for record in table]
        records = [record for record, wanted in zip(table, wants, strict=True) if wanted]
        if len(table) and not records:
            raise UserError(self._nothing_left(table))
        nameless = [record for record in records if not record[self.path]]
        table.refuse(f"`{self.path}` is empty", nameless, "name an image or take the rows out")
        scores = iter(table.numbers(self.score, records))
        names: dict[str, str] = {}
        rows = [
            self._row(record, next(scores) if wanted else math.nan, wanted, names)
            for record, wanted in zip(table, wants, strict=True)
        ]
        return ScoreTable(source, rows, list(self._notes(rows)))

    def _notes(self, rows: Sequence[ScoredRow]) -> Iterator[str]:
        if left := sum(not row.wanted for row in rows):
            yield f"rows left out by `where`: {left:,}"
        if self.split.divides and not any(row.reference for row in rows):
            yield (
                "no reference named: images are split one by one, so versions of one picture may be on both sides; set "
                "`reference`"
            )

    def _nothing_left(self, table: Table) -> str:
        column = next((column for column in self.where if not any(self._is(r, column) for r in table)), None)
        if column is None:
            return f"no row of {table.source} has all the values of `where` at once"
        values = sorted({record[column] for record in table})
        return f"no row of {table.source} has {column} = {self.where[column]}; its values are {some(values)}"

    def _is(self, record: Record, column: str) -> bool:
        return composed(record[column]) == composed(self.where[column])

    def _row(self, record: Record, score: float, wanted: bool, names: dict[str, str]) -> ScoredRow:
        """A row; ``names`` holds how each reference is spelled first."""
        named = record[self.reference] if self.reference else ""
        return ScoredRow(
            path=record[self.path],
            score=score,
            location=record.location,
            reference=names.setdefault(folded(spelled(named)), spelled(named)) if named else "",
            kind=composed(record[self.kind]) if self.kind else "",
            wanted=wanted,
        )
