"""LIVE In the Wild Image Quality Challenge: names and scores in two MATLAB files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.mat import read_mat


class LiveChallenge(ScoredVersions):
    """LIVE In the Wild Image Quality Challenge Database (Ghadiyaram and Bovik, IEEE TIP 25(1), 2016).

    1,162 photos from mobile cameras with the distortions of real life; MOS from 0 to 100, **higher is better**. There
    are no references: images are split one by one.

    The files list 1,169 images, of which the first 7 (their names start with ``t``, and they lie in
    ``Images/trainingImages``) served to train the subjects; they are left out.

    Tried on a public copy of the 1,162 scores: their number and names. Not tried on a released file: the format
    is as others' loaders read it.
    """

    title: ClassVar[str] = "LIVE Challenge"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=True, range=(0.0, 100.0), unit="MOS")
    obtained: ClassVar[str] = (
        "the Laboratory for Image and Video Engineering of the University of Texas at Austin gives it on request"
    )
    entries: ClassVar[int] = 1_169
    training: ClassVar[int] = 7
    """So many of them, at the start, are no part of the test."""

    @property
    def expected(self) -> Sequence[str]:
        """The names, the scores, and the folder of the images."""
        return ["Data/AllImages_release.mat", "Data/AllMOS_release.mat", "Images"]

    def read_table(self) -> ScoreTable:
        """All but the training images.

        Raises:
            UserError: A list has another length than in the release, or does not begin with the training images.
        """
        names_at, source = (self.root / name for name in self.expected[:2])
        names = read_mat(names_at).strings("AllImages_release")
        mos = read_mat(source).numbers("AllMOS_release")
        lists = {"AllImages_release": len(names), "AllMOS_release": len(mos)}
        check_lengths(source.parent, self.entries, "entries", **lists)
        trains = [name.casefold().startswith("t") for name in names]
        if trains != [entry < self.training for entry in range(self.entries)]:
            raise UserError(
                f"{names_at}: the first {self.training} names, and no others, are training images that start with `t` "
                "in the release; this is not the file as released, and scores would go to the wrong images"
            )
        rows = [
            ScoredRow(f"Images/{name}", float(score), f"entry {entry} of AllMOS_release")
            for entry, (name, score) in enumerate(zip(names, mos, strict=True), start=1)
            if entry > self.training
        ]
        return ScoreTable(source, rows, [f"{self.training} images that served to train the subjects left out"])
