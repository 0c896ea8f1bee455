"""LIVE Multiply Distorted: two parts, each with names and scores in MATLAB files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub_regression.scored.base import ScoredImages
from rankhub_regression.scored.mat import numbers_of, read_mat, strings_of
from rankhub_regression.scored.table import Row, ScoreTable, check_lengths


class Mlive(ScoredImages):
    """LIVE Multiply Distorted Image Quality Database (Jayaraman, Mittal, Moorthy, Bovik, Asilomar 2012).

    450 distorted versions of 15 photos; DMOS, **higher is worse**. Part 1 is blurred and then compressed by JPEG
    (``blurjpeg``), part 2 blurred and then noisy (``blurnoise``); single distortions are among them. Each part has
    225 images, listed in ``Imagelists.mat`` (``distimgs``) and scored in ``Scores.mat`` (``DMOSscores``); the reference
    is what a name says before its first ``_``.

    The format is as others' loaders read it; no released file was at hand.

    Attributes:
        parts_at: Folder of a part -> folder of its images, which is the name of the kind.
    """

    title: ClassVar[str] = "LIVE Multiply Distorted"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=False, unit="DMOS")
    obtained: ClassVar[str] = (
        "the Laboratory for Image and Video Engineering of the University of Texas at Austin gives it on request"
    )
    parts_at: ClassVar[Mapping[str, str]] = {"Part 1": "blurjpeg", "Part 2": "blurnoise"}
    images: ClassVar[int] = 225
    """Of each part."""

    @property
    def expected(self) -> Sequence[str]:
        """Names, scores and images of both parts."""
        return [
            f"{part}/{name}" for part, kind in self.parts_at.items() for name in ("Imagelists.mat", "Scores.mat", kind)
        ]

    def read_table(self) -> ScoreTable:
        """The images of both parts.

        Raises:
            UserError: A list has another length than in the release.
        """
        rows = [row for part, kind in self.parts_at.items() for row in self._rows(part, kind)]
        return ScoreTable(self.root / "Part 1 and Part 2", rows)

    def _rows(self, part: str, kind: str) -> Iterator[Row]:
        names_at, scores_at = self.root / part / "Imagelists.mat", self.root / part / "Scores.mat"
        names = strings_of(names_at, read_mat(names_at), "distimgs")
        dmos = numbers_of(scores_at, read_mat(scores_at), "DMOSscores")
        check_lengths(self.root / part, self.images, "images", distimgs=len(names), DMOSscores=len(dmos))
        for entry, (name, score) in enumerate(zip(names, dmos, strict=True), start=1):
            reference = name.partition("_")[0].partition(".")[0]
            yield Row(f"{part}/{kind}/{name}", float(score), f"{part}, entry {entry}", reference, kind)
