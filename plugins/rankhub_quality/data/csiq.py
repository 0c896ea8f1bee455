"""CSIQ: scores in an Excel workbook, or in the text file that many copies have beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_data.tables.numbers import numbers
from rankhub_data.tables.sheet import read_sheet
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import Row, ScoreTable, check_lengths

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
_LINE = re.compile(r"(?P<name>(?P<image>.+)\.(?P<token>\w+)\.(?P<level>\d)\.png)\s+(?P<score>\S+)")
_WORKBOOK, _TEXT = "csiq.DMOS.xlsx", "csiq_label.txt"


class Csiq(ScoredVersions):
    """CSIQ (Larson and Chandler, Journal of Electronic Imaging 19(1), 2010).

    866 distorted versions of 30 photos; DMOS from 0 to 1, **higher is worse**. The kinds are ``awgn`` (white noise),
    ``jpeg``, ``jpeg2000``, ``fnoise`` (pink noise), ``blur`` and ``contrast``; those that it shares with LIVE are
    ``kinds: [awgn, jpeg, jpeg2000, blur]``.

    Scores are read from ``csiq_label.txt`` (a line is ``1600.AWGN.1.png 0.062``) where it is there, else from
    the sheet ``all_by_image`` of ``csiq.DMOS.xlsx``, which takes ``pip install openpyxl``. Images lie in
    ``dst_imgs/<kind>/``.

    Both formats are as others' loaders read them; no released file was at hand.
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
        """All rows.

        Raises:
            UserError: A row is not as it should be, or there are more or fewer than in the release.
        """
        source = self.root / _TEXT
        if source.is_file():
            rows = _from_text(source)
        else:
            source = self.root / _WORKBOOK
            rows = _from_workbook(source)
        check_lengths(source, self.images, "images", rows=len(rows))
        return ScoreTable(source, rows)


def _from_text(source: Path) -> list[Row]:
    matches = []
    for number, line in enumerate(source.read_text("utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match["token"].casefold() not in _BY_TOKEN:
            raise UserError(
                f"{source}, line {number}: a line takes a file name and its score, such as `1600.AWGN.1.png 0.062`"
            )
        matches.append((f"line {number}", match))
    scores = numbers(source, "dmos", ((place, match["score"]) for place, match in matches))
    return [
        _row(_BY_TOKEN[match["token"].casefold()], match["name"], match["image"], score, place)
        for (place, match), score in zip(matches, scores, strict=True)
    ]


def _from_workbook(source: Path) -> list[Row]:
    instead = f"put {_TEXT} beside it"
    table = read_sheet(source, "all_by_image", ["image", "dst_type", "dst_lev", "dmos"], instead)
    scores = numbers(source, "dmos", ((f"line {line}", fields["dmos"]) for line, fields in table))
    rows = []
    for (line, fields), score in zip(table, scores, strict=True):
        kind = _FOLDERS.get(fields["dst_type"].casefold())
        if kind is None:
            raise UserError(
                f"{source}, line {line}: {fields['dst_type']} is no type of distortion of CSIQ "
                f"({', '.join(_FOLDERS)}); get the file as released"
            )
        folder, token = kind
        name = f"{fields['image']}.{token}.{fields['dst_lev']}.png"
        rows.append(_row(folder, name, fields["image"], score, f"line {line}"))
    return rows


def _row(folder: str, name: str, image: str, score: float, place: str) -> Row:
    return Row(f"dst_imgs/{folder}/{name}", score, place, reference=image, kind=folder)
