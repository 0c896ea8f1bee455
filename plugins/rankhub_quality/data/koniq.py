"""KonIQ-10k: a CSV file of votes, with or without the official split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_quality.data.base import ScoredImages
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.delimited import read_delimited
from rankhub_tables.wording import some

_WITH_SETS, _WITHOUT = "koniq10k_distributions_sets.csv", "koniq10k_scores_and_distributions.csv"


class Koniq10k(ScoredImages):
    """KonIQ-10k (Hosu, Lin, Sziranyi, Saupe, IEEE TIP 29, 2020).

    10,073 photos with the distortions of real life; MOS from 0 to 100, **higher is better**. There are no references:
    images are split one by one, or by the official ``split``.

    Scores are the column ``MOS`` of ``koniq10k_distributions_sets.csv``; where only
    ``koniq10k_scores_and_distributions.csv`` is there, its column ``MOS_zscore`` (its ``MOS`` runs from 1 to 5), and
    then there is no official split.

    Not tried on a released file: the formats are as others' loaders read them. A public copy of the first is a web page
    in disguise, which is refused.

    Args:
        split: Only this part of the official split: ``training`` (7,058 images, by what is told of the set),
            ``validation`` (1,000) or ``test`` (2,015). ``part`` is drawn among all images, whatever is chosen here.
        images: Folder of the images below ``root``: that of the originals, or of those shrunk to 512 x 384.
    """

    title: ClassVar[str] = "KonIQ-10k"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=True, range=(0.0, 100.0), unit="MOS")
    obtained: ClassVar[str] = "the Multimedia Signal Processing group of the University of Konstanz hands it out"
    count: ClassVar[int] = 10_073

    def __init__(
        self,
        *,
        root: str,
        split: Literal["training", "validation", "test"] | None = None,
        images: Literal["1024x768", "512x384"] = "1024x768",
        **options: Any,
    ) -> None:
        super().__init__(root=root, **options)
        self.official = split
        self.images = images

    @property
    def expected(self) -> Sequence[str]:
        """The scores, with the official split if that is wanted, and the folder of the images."""
        other = self.official is None and (self.root / _WITHOUT).is_file() and not (self.root / _WITH_SETS).is_file()
        return [_WITHOUT if other else _WITH_SETS, self.images]

    def read_table(self) -> ScoreTable:
        """All images, those outside the split as not wanted."""
        source = self.root / self.expected[0]
        sets = source.name == _WITH_SETS
        score = "MOS" if sets else "MOS_zscore"
        table = read_delimited(source, ["image_name", score, *(["set"] if sets else [])])
        check_lengths(source, self.count, "images", rows=len(table))
        wants = [self.official is None or record["set"] == self.official for record in table]
        if not any(wants):
            values = some(sorted({record["set"] or "empty" for record in table}))
            raise UserError(f"column set of {source} has no {self.official}; its values are {values}")
        rows = [
            ScoredRow(f"{self.images}/{record['image_name']}", value, record.location, wanted=wanted)
            for record, value, wanted in zip(table, table.numbers(score), wants, strict=True)
        ]
        return ScoreTable(source, rows, [f"official split: {self.official}"] if self.official else [])
