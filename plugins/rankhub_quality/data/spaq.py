"""SPAQ: scores in an Excel workbook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.options import Ge
from rankhub_quality.data.base import ScoredImages
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.delimited import read_delimited
from rankhub_tables.sheet import read_sheet

_NAME, _SCORE = "Image name", "MOS"


class Spaq(ScoredImages):
    """SPAQ (Fang, Zhu, Zeng, Ma, Wang, CVPR 2020): 11,125 photos from 66 smartphones.

    MOS from 0 to 100, **higher is better**. There are no references: images are split one by one.

    Scores are read from ``Annotations/MOS and Image attribute scores.xlsx``, which takes ``pip install openpyxl``, or
    from the same table saved as ``.csv`` beside it, which is taken first. Images lie in ``TestImage/``. They are of ten
    megapixels and more, hundreds of gigabytes when decoded, so they are shrunk.

    Not tried on a released file: the layout is as others' loaders read it, and the range is from memory.

    Args:
        resize: Shorter side in pixels to which images are shrunk (antialiased) when they are decoded; 512 is what most
            work on SPAQ does.
    """

    title: ClassVar[str] = "SPAQ"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=True, range=(0.0, 100.0), unit="MOS")
    obtained: ClassVar[str] = "its authors hand it out on the web page of the database"
    count: ClassVar[int] = 11_125
    table: ClassVar[str] = "Annotations/MOS and Image attribute scores"

    def __init__(self, *, root: str, resize: Annotated[int, Ge(8)] = 512, **options: Any) -> None:
        super().__init__(root=root, resize=resize, **options)

    @property
    def expected(self) -> Sequence[str]:
        """The scores in one of two formats, and the folder of the images."""
        text = (self.root / f"{self.table}.csv").is_file()
        return [f"{self.table}{'.csv' if text else '.xlsx'}", "TestImage"]

    def read_table(self) -> ScoreTable:
        """All rows."""
        source = self.root / self.expected[0]
        columns = [_NAME, _SCORE]
        if source.suffix == ".csv":
            table = read_delimited(source, columns)
        else:
            table = read_sheet(source, None, columns, "save the table as .csv beside it")
        check_lengths(source, self.count, "images", rows=len(table))
        rows = [
            ScoredRow(f"TestImage/{record[_NAME]}", score, record.location)
            for record, score in zip(table, table.numbers(_SCORE), strict=True)
        ]
        return ScoreTable(source, rows)
