"""KADID-10k: one CSV file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rankhub.interfaces.data import LabelSpec
from rankhub_quality.data.base import ScoredVersions
from rankhub_quality.data.table import ScoredRow, ScoreTable, check_lengths
from rankhub_tables.delimited import read_delimited
from rankhub_tables.table import Record
from rankhub_tables.text import RELEASED

_NAME = re.compile(r"(?P<reference>I\d\d)_(?P<kind>\d\d)_(?P<level>\d\d)\.png", re.IGNORECASE)

KINDS = (
    "gaussian_blur",
    "lens_blur",
    "motion_blur",
    "colour_diffusion",
    "colour_shift",
    "colour_quantisation",
    "saturation_1",
    "saturation_2",
    "jpeg2000",
    "jpeg",
    "gaussian_noise",
    "colour_noise",
    "impulse_noise",
    "multiplicative_noise",
    "denoising",
    "brighten",
    "darken",
    "mean_shift",
    "jitter",
    "patches",
    "pixelate",
    "quantisation",
    "colour_blocks",
    "sharpen",
    "contrast",
)
"""The types 1 to 25."""


class Kadid10k(ScoredVersions):
    """KADID-10k (Lin, Hosu, Saupe, QoMEX 2019).

    10,125 distorted images: 81 references, 25 types of distortion, 5 levels; scores from 1 to 5 in ``dmos.csv``, whose
    column is called ``dmos`` though **higher is better**. Images lie in ``images/``.

    The types are 1 gaussian_blur, 2 lens_blur, 3 motion_blur, 4 colour_diffusion, 5 colour_shift,
    6 colour_quantisation, 7 saturation_1, 8 saturation_2, 9 jpeg2000, 10 jpeg, 11 gaussian_noise, 12 colour_noise,
    13 impulse_noise, 14 multiplicative_noise, 15 denoising, 16 brighten, 17 darken, 18 mean_shift, 19 jitter,
    20 patches, 21 pixelate, 22 quantisation, 23 colour_blocks, 24 sharpen, 25 contrast.

    Not tried on a released file: the format is as others' loaders read it, and the names of the types are partly from
    memory (19 to 25).
    """

    title: ClassVar[str] = "KADID-10k"
    scale: LabelSpec = LabelSpec(kind="score", higher_is_better=True, range=(1.0, 5.0), unit="DMOS")
    obtained: ClassVar[str] = "the Multimedia Signal Processing group of the University of Konstanz hands it out"
    references: ClassVar[int] = 81
    images: ClassVar[int] = 10_125

    @property
    def expected(self) -> Sequence[str]:
        """The scores, and the folder of the images."""
        return ["dmos.csv", "images"]

    def read_table(self) -> ScoreTable:
        """All rows of ``dmos.csv``."""
        source = self.root / "dmos.csv"
        table = read_delimited(source, ["dist_img", "ref_img", "dmos"])
        check_lengths(source, self.images, "images", rows=len(table))
        scores = table.numbers("dmos")
        named = [_parts(record) for record in table]
        odd = [record for record, match in zip(table, named, strict=True) if match is None]
        table.refuse(
            "`dist_img` is no name such as I01_01_01.png with `ref_img` I01.png", odd, RELEASED, shown="dist_img"
        )
        rows = [
            ScoredRow(
                f"images/{match[0]}", score, record.location, match["reference"].upper(), KINDS[int(match["kind"]) - 1]
            )
            for record, match, score in zip(table, named, scores, strict=True)
            if match is not None
        ]
        return ScoreTable(source, rows)


def _parts(record: Record) -> re.Match[str] | None:
    """The parts of a name that agrees with its reference."""
    match = _NAME.fullmatch(record["dist_img"])
    if match is None or not 1 <= int(match["kind"]) <= len(KINDS):
        return None
    reference = record["ref_img"].rpartition(".")[0]
    return match if reference.casefold() == match["reference"].casefold() else None
