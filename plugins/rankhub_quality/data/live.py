"""LIVE, release 2: scores in MATLAB files, in the order of the five kinds of distortion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.mat import Mat, read_mat


class Live(ScoredVersions):
    """LIVE Image Quality Assessment Database, release 2 (Sheikh, Sabir, Bovik, IEEE TIP 15(11), 2006).

    779 distorted versions of 29 photos; DMOS, **higher is worse**. The kinds are ``jp2k`` (JPEG 2000), ``jpeg``, ``wn``
    (white noise), ``gblur`` (Gaussian blur) and ``fastfading`` (JPEG 2000 over a channel with errors).

    The scores are a list of 982 entries without file names: image ``imgN.bmp`` of each kind in turn, counted from 1,
    227 + 233 + 174 + 174 + 174. 203 of them are unmodified references with a label of 0, which ``orgs`` marks. They
    are left out: to train or test on them inflates every correlation. Where ``orgs`` is not in the file, they are the
    entries that are exactly 0. Altered copies of the files are about, with lists of 779 entries; lists of another
    length are refused.

    Tried on a public copy of ``dmos_realigned.mat``: its order, its length, the number of its zeros by kind, its
    range (-2.64 to 111.77). Not tried on the rest of the release: ``orgs`` and ``refnames_all`` of 982 entries, and the
    layout of ``dmos.mat``, are as others' loaders read them.

    Args:
        scores: ``realigned``: DMOS after the study that put all kinds on one scale (``dmos_realigned.mat``);
            ``original``: those of the release (``dmos.mat``), which older papers use.
    """

    title: ClassVar[str] = "LIVE (release 2)"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=False, unit="DMOS")
    obtained: ClassVar[str] = (
        "the Laboratory for Image and Video Engineering of the University of Texas at Austin gives it on request, "
        "dmos_realigned.mat by itself"
    )
    counts: ClassVar[Mapping[str, int]] = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
    """Images of each kind with the references among them, in the order of the scores."""
    references: ClassVar[int] = 29
    originals: ClassVar[int] = 203
    """Unmodified references among the images."""

    def __init__(self, *, root: str, scores: Literal["realigned", "original"] = "realigned", **options: Any) -> None:
        super().__init__(root=root, **options)
        self.file, self.variable = {
            "realigned": ("dmos_realigned.mat", "dmos_new"),
            "original": ("dmos.mat", "dmos"),
        }[scores]

    @property
    def expected(self) -> Sequence[str]:
        """The scores, the names of the references, and a folder for each kind."""
        return [self.file, "refnames_all.mat", *self.counts]

    def read_table(self) -> ScoreTable:
        """The 779 distorted images.

        Raises:
            UserError: A list has another length than in the release, or ``orgs`` does not mark the references.
        """
        source, names = self.root / self.file, self.root / "refnames_all.mat"
        scores = read_mat(source)
        dmos = scores.numbers(self.variable)
        references = read_mat(names).strings("refnames_all")
        entries = sum(self.counts.values())
        check_lengths(source, entries, "entries", **{self.variable: len(dmos)})
        check_lengths(names, entries, "entries", refnames_all=len(references))
        original, how = self._originals(scores, dmos)
        images = [(kind, number) for kind, count in self.counts.items() for number in range(1, count + 1)]
        rows = [
            ScoredRow(
                path=f"{kind}/img{number}.bmp",
                score=float(dmos[entry]),
                location=f"entry {entry + 1} of {self.variable}",
                reference=references[entry],
                kind=kind,
            )
            for entry, (kind, number) in enumerate(images)
            if not original[entry]
        ]
        return ScoreTable(
            source, rows, [f"{int(original.sum()):,} unmodified references with label 0 left out ({how})"]
        )

    def _originals(self, scores: Mat, dmos: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.bool_], str]:
        """[entries] which are references, and how that is known."""
        if "orgs" in scores.content:
            marks = scores.numbers("orgs")
            check_lengths(scores.source, len(dmos), "entries", orgs=len(marks))
            original, how = marks != 0, "by orgs"
        else:
            original, how = dmos == 0, "those that are exactly 0, as there is no orgs"
        if original.sum() != self.originals or np.any(dmos[original] != 0):
            raise UserError(
                f"{scores.source}: {int(original.sum()):,} entries are references ({how}), "
                f"{int(np.count_nonzero(dmos[original])):,} of them with a label that is not 0, where {self.originals} "
                "with label 0 are expected; this is not the file as released: get the original"
            )
        return original, how
