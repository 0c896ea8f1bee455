"""TID2013 and TID2008: a text file of scores and names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.table import Record
from rankhub_tables.text import read_lines, read_pattern

_LINE = re.compile(r"(?P<mos>\S+)\s+(?P<name>\S+)")
_NAME = re.compile(r"I(?P<reference>\d\d)_(?P<kind>\d\d)_(?P<level>\d)\.bmp", re.IGNORECASE)

KINDS = (
    "gaussian_noise",
    "colour_noise",
    "correlated_noise",
    "masked_noise",
    "high_frequency_noise",
    "impulse_noise",
    "quantisation",
    "gaussian_blur",
    "denoising",
    "jpeg",
    "jpeg2000",
    "jpeg_errors",
    "jpeg2000_errors",
    "pattern_noise",
    "colour_blocks",
    "mean_shift",
    "contrast",
    "saturation",
    "multiplicative_noise",
    "comfort_noise",
    "noisy_compression",
    "colour_quantisation",
    "chromatic_aberration",
    "sparse_sampling",
)
"""TID2013's types 1 to 24; the first 17 are those of TID2008."""


class _Tid(ScoredVersions):
    """What the two releases share.

    Attributes:
        kind_count: Types of distortion.
        levels: Of each type.
    """

    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=True, range=(0.0, 9.0), unit="MOS")
    excluded: ClassVar[tuple[str, ...]] = ("I25",)
    obtained: ClassVar[str] = "its authors, N. Ponomarenko and others, hand it out on the web page of the database"
    references: ClassVar[int] = 25
    kind_count: ClassVar[int]
    levels: ClassVar[int]

    @property
    def expected(self) -> Sequence[str]:
        """The scores, and the folder of the images."""
        return ["mos_with_names.txt", "distorted_images"]

    def read_table(self) -> ScoreTable:
        """All rows of ``mos_with_names.txt``."""
        source = self.root / "mos_with_names.txt"
        table = read_pattern(source, _LINE, "a score and a file name, such as `5.51429 I01_01_1.bmp`")
        lists = {"mos_with_names.txt": len(table)}
        if (companion := self.root / "mos.txt").is_file():
            lists["mos.txt"] = len(read_lines(companion))
        check_lengths(self.root, self.references * self.kind_count * self.levels, "images", **lists)
        scores = table.numbers("mos")
        return ScoreTable(source, [self._row(source, *one) for one in zip(table, scores, strict=True)])

    def _row(self, source: Path, record: Record, score: float) -> ScoredRow:
        name, location = record["name"], record.location
        match = _NAME.fullmatch(name)
        if match is None or not (
            1 <= int(match["reference"]) <= self.references
            and 1 <= int(match["kind"]) <= self.kind_count
            and 1 <= int(match["level"]) <= self.levels
        ):
            raise UserError(
                f"{source}, {location}: {name} is no name of a distorted image of {self.title}, such as I01_01_1.bmp "
                f"(reference 1 to {self.references}, type 1 to {self.kind_count}, level 1 to {self.levels})"
            )
        # Upper case, so that two spellings of one name count as one image.
        return ScoredRow(
            path=f"distorted_images/{name.upper()}",
            score=score,
            location=location,
            reference=f"I{match['reference']}",
            kind=KINDS[int(match["kind"]) - 1],
        )


class Tid2013(_Tid):
    """TID2013 (Ponomarenko et al., Signal Processing: Image Communication 30, 2015).

    3,000 distorted images: 25 references, 24 types of distortion, 5 levels; MOS from 0 to 9, **higher is better**
    (0.24 to 7.21 occur). Scores are read from ``mos_with_names.txt``; names there and on the disk are in mixed case and
    are matched whatever their case. Reference I25 is no photo, and the usual protocol leaves it out: 24 references,
    of which 5 are held out.

    The types are named as the kinds of the generator ``distortions`` where these imitate them: 1 gaussian_noise,
    2 colour_noise, 3 correlated_noise, 4 masked_noise, 5 high_frequency_noise, 6 impulse_noise, 7 quantisation,
    8 gaussian_blur, 9 denoising, 10 jpeg, 11 jpeg2000, 12 jpeg_errors and 13 jpeg2000_errors (of transmission),
    14 pattern_noise, 15 colour_blocks, 16 mean_shift, 17 contrast, 18 saturation, 19 multiplicative_noise,
    20 comfort_noise, 21 noisy_compression, 22 colour_quantisation, 23 chromatic_aberration, 24 sparse_sampling.

    Tried on the released scores, their order, range and names in mixed case, set down in the format of
    ``mos_with_names.txt``; not tried on the released images.
    """

    title: ClassVar[str] = "TID2013"
    kind_count: ClassVar[int] = 24
    levels: ClassVar[int] = 5


class Tid2008(_Tid):
    """TID2008 (Ponomarenko et al., Advances of Modern Radioelectronics 10, 2009).

    1,700 distorted images: 25 references, the first 17 types of TID2013, 4 levels; MOS from 0 to 9, **higher is
    better**. Reference I25 is no photo, and is left out as in TID2013.

    Tried on the released scores, their names, number and range; that they stand in ``mos_with_names.txt`` in the format
    of TID2013 is from memory. Not tried on the released images.
    """

    title: ClassVar[str] = "TID2008"
    kind_count: ClassVar[int] = 17
    levels: ClassVar[int] = 4
