"""The options of ``rankhub label init``, and the settings of a folder that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

RECIPE, LABELS, RUNS = "recipe.yaml", "labels", "runs"
"""In a folder of labeling: the recipe that every round's run follows, free to be edited; what each run learned from;
and the runs. One folder a run in the latter two, of the same name."""

RESOLVED = "recipe.resolved.yaml"
"""In a run's folder: a file written when it begins."""

Takes = Literal["score", "count", "points"]
"""What people say of an image: a number, how many there are, or where each of them is."""


@dataclass(frozen=True, slots=True)
class LabelingOptions:
    """What a person says of the labeling by the options of ``rankhub label init``; None = as the recipe has it."""

    images: Path
    test: int = 0
    takes: Takes | None = None
    low: float | None = None
    high: float | None = None
    higher_is_better: bool | None = None
    unit: str | None = None
    labeled: str | None = None
    unlabeled: str | None = None
    test_data: str | None = None
    seed: int = 0


class Settings(BaseModel):
    """Said once, by ``rankhub label init``, but for ``changes``.

    Attributes:
        images: The folder of the pool's images, absolute.
        takes: What people say of an image.
        low: Lowest score, where there is one.
        high: Highest score, where there is one.
        higher_is_better: Which way a score runs.
        unit: What a score measures, or what is counted.
        labeled: Data set of the recipe that the labels of the pool stand in for; None if the recipe learns from none.
        unlabeled: Data set of the recipe that the images of the pool stand in for; None = the recipe's own.
        test: Data set of the recipe that the labels of test images stand in for; None without test images.
        seed: Of what is drawn at random: the test images, a first round.
        changes: Of the recipe, as ``label train`` was given them; they hold for later runs too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: str
    takes: Takes
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True
    unit: str = ""
    labeled: str | None = None
    unlabeled: str | None = None
    test: str | None = None
    seed: int = 0
    changes: tuple[str, ...] = ()
