"""What a folder of labeling was set up with."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Takes = Literal["score", "count", "points"]
"""What people say of an image: a number, how many there are, or where each of them is."""


class Settings(BaseModel):
    """Said once, by ``rankhub label init``.

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
