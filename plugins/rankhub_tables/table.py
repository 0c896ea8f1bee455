"""A table as it was read from whatever file: rows of text under names of columns, each with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_tables.numbers import number
from rankhub_tables.wording import some

MEND = "mend these rows or take them out"
"""What to do with wrong rows of one's own table."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    Attributes:
        line: Of the file or the sheet, from 1; the last one where a quoted field spans several.
        fields: Column -> text, without blanks around it.
    """

    line: int
    fields: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.fields[column]

    @property
    def location(self) -> str:
        """``line 7``: where it stands, for sentences."""
        return f"line {self.line}"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file.

    Attributes:
        source: The file.
        records: In its order; each has the columns that were asked for.
    """

    source: Path
    records: Sequence[Record]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def numbers(self, column: str, records: Sequence[Record] | None = None) -> list[float]:
        """A column as numbers; ``nan`` and ``inf`` are numbers here, the caller refuses those that it cannot use.

        Args:
            column: Its name.
            records: Only these rows; None = all.

        Raises:
            UserError: Some are no numbers; the sentence says where the first few stand.
        """
        values: list[float] = []
        wrong: list[str] = []
        for record in self.records if records is None else records:
            text = record[column]
            try:
                values.append(number(text))
            except ValueError:
                wrong.append(f"{record.location} ({text!r})" if text else f"{record.location} (empty)")
        point = "decimals take a point; " if any("," in text for text in wrong) else ""
        self._refuse(f"`{column}` is no number", wrong, f"{point}{MEND}")
        return values

    def refuse(self, what: str, records: Sequence[Record], remedy: str = MEND, *, shown: str | None = None) -> None:
        """Refuse rows, if there are any.

        Args:
            what: What is wrong with them ("`path` is empty").
            records: Those that are wrong.
            remedy: What to do, as the end of a sentence.
            shown: A column whose text is given with each line.

        Raises:
            UserError: There are some.
        """
        said = [record.location if shown is None else f"{record.location} ({record[shown]})" for record in records]
        self._refuse(what, said, remedy)

    def _refuse(self, what: str, locations: Sequence[str], remedy: str) -> None:
        if locations:
            raise UserError(f"{self.source}: {what} on {some(locations)}; {remedy}")
