"""LIVE Multiply Distorted: two parts, each with names and scores in MATLAB files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.mat import read_mat
from rankhub_tables.wording import some


class Mlive(ScoredVersions):
    """LIVE Multiply Distorted Image Quality Database (Jayaraman, Mittal, Moorthy, Bovik, Asilomar 2012).

    450 distorted versions of 15 photos; DMOS, **higher is worse**. Part 1 is blurred and then compressed by JPEG
    (``blurjpeg``), part 2 blurred and then noisy (``blurnoise``); single distortions are among them. Each part has
    225 images, listed in ``Imagelists.mat`` (``distimgs``) and scored in ``Scores.mat`` (``DMOSscores``); the reference
    is what a name says before its first ``_``, and must be in the list ``refimgs`` where there is one.

    Not tried on a released file: the format is as others' loaders read it.

    Attributes:
        parts_at: Folder of a part -> folder of its images, which is the name of the kind.
    """

    title: ClassVar[str] = "LIVE Multiply Distorted"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=False, unit="DMOS")
    obtained: ClassVar[str] = (
        "the Laboratory for Image and Video Engineering of the University of Texas at Austin gives it on request"
    )
    parts_at: ClassVar[Mapping[str, str]] = {"Part 1": "blurjpeg", "Part 2": "blurnoise"}
    references: ClassVar[int] = 15
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
            UserError: A list has another length than in the release, or names do not agree with ``refimgs``.
        """
        rows = [row for part, kind in self.parts_at.items() for row in self._rows(part, kind)]
        return ScoreTable(self.root / "Part 1 and Part 2", rows)

    def _rows(self, part: str, kind: str) -> Iterator[ScoredRow]:
        names_at, scores_at = self.root / part / "Imagelists.mat", self.root / part / "Scores.mat"
        lists = read_mat(names_at)
        names = lists.strings("distimgs")
        dmos = read_mat(scores_at).numbers("DMOSscores")
        check_lengths(self.root / part, self.images, "images", distimgs=len(names), DMOSscores=len(dmos))
        references = [name.partition("_")[0].partition(".")[0] for name in names]
        if "refimgs" in lists.content:
            _check_named(names_at, references, lists.strings("refimgs"))
        for entry, (name, score, reference) in enumerate(zip(names, dmos, references, strict=True), start=1):
            yield ScoredRow(f"{part}/{kind}/{name}", float(score), f"{part}, entry {entry}", reference, kind)


def _check_named(source: Path, found: Sequence[str], files: Sequence[str]) -> None:
    """Refuse references that are not those of ``refimgs``, in whatever case."""
    listed = {name.rpartition(".")[0].casefold() or name.casefold() for name in files}
    if odd := sorted({name.casefold() for name in found} ^ listed):
        raise UserError(
            f"{source}: the names in `distimgs` and in `refimgs` do not have the same references: {some(odd)}; this is "
            "not the file as released, and versions of one reference could be on both sides of a split: get the "
            "original"
        )
