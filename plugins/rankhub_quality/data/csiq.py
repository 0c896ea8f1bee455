"""CSIQ: scores in an Excel workbook, or in the text file that many copies have beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.sheet import read_sheet
from rankhub_tables.table import Record
from rankhub_tables.text import RELEASED, read_pattern

_FOLDERS = {
    "noise": ("awgn", "AWGN"),
    "jpeg": ("jpeg", "JPEG"),
    "jpeg 2000": ("jpeg2000", "jpeg2000"),
    "fnoise": ("fnoise", "fnoise"),
    "blur": ("blur", "BLUR"),
    "contrast": ("contrast", "contrast"),
}
"""The workbook's word for a type -> folder of its images, and the part of their names."""
_BY_TOKEN = {token.casefold(): folder for folder, token in _FOLDERS.values()}
_LINE = re.compile(
    rf"(?P<name>(?P<image>.+)\.(?P<token>{'|'.join(_BY_TOKEN)})\.(?P<level>\d)\.png)\s+(?P<dmos>\S+)", re.IGNORECASE
)
_WORKBOOK, _TEXT = "csiq.DMOS.xlsx", "csiq_label.txt"


class Csiq(ScoredVersions):
    """CSIQ (Larson and Chandler, Journal of Electronic Imaging 19(1), 2010).

    866 distorted versions of 30 photos; DMOS from 0 to 1, **higher is worse**. The kinds are ``awgn`` (white noise),
    ``jpeg``, ``jpeg2000``, ``fnoise`` (pink noise), ``blur`` and ``contrast``; those that it shares with LIVE are
    ``kinds: [awgn, jpeg, jpeg2000, blur]``.

    Scores are read from ``csiq_label.txt`` (a line is ``1600.AWGN.1.png 0.062``) where it is there, else from
    the sheet ``all_by_image`` of ``csiq.DMOS.xlsx``, which takes ``pip install openpyxl``. Images lie in
    ``dst_imgs/<kind>/``.

    Not tried on a released file: both formats are as others' loaders read them.
    """

    title: ClassVar[str] = "CSIQ"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=False, range=(0.0, 1.0), unit="DMOS")
    obtained: ClassVar[str] = "D. Chandler's laboratory hands it out on the web page of the database"
    references: ClassVar[int] = 30
    images: ClassVar[int] = 866

    @property
    def expected(self) -> Sequence[str]:
        """The scores in one of two files, and the folder of the images."""
        text = (self.root / _TEXT).is_file() and not (self.root / _WORKBOOK).is_file()
        return [_TEXT if text else _WORKBOOK, "dst_imgs"]

    def read_table(self) -> ScoreTable:
        """All rows."""
        text = self.root / _TEXT
        if text.is_file():
            table = read_pattern(text, _LINE, "a file name and its score, such as `1600.AWGN.1.png 0.062`")
            named = [(_BY_TOKEN[record["token"].casefold()], record["name"]) for record in table]
        else:
            columns = ["image", "dst_type", "dst_lev", "dmos"]
            table = read_sheet(self.root / _WORKBOOK, "all_by_image", columns, f"put {_TEXT} beside it")
            named = [_named(table.source, record) for record in table]
        scores = table.numbers("dmos")
        check_lengths(table.source, self.images, "images", rows=len(table))
        rows = [
            ScoredRow(f"dst_imgs/{folder}/{name}", score, record.location, reference=record["image"], kind=folder)
            for record, (folder, name), score in zip(table, named, scores, strict=True)
        ]
        return ScoreTable(table.source, rows)


def _named(source: Path, record: Record) -> tuple[str, str]:
    """Folder and name of the image that a row of the workbook speaks of."""
    found = _FOLDERS.get(record["dst_type"].casefold())
    if found is None:
        raise UserError(
            f"{source}, {record.location}: {record['dst_type']} is no type of distortion of CSIQ "
            f"({', '.join(_FOLDERS)}); {RELEASED}"
        )
    return found[0], f"{record['image']}.{found[1]}.{record['dst_lev']}.png"
