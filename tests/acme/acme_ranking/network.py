"""A network, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import Backbone, Features, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.options import Ge
from rankhub.interfaces.predict import Answers, Forward, Predict


class Means(Backbone):
    """A linear map of the mean colour.

    Args:
        width: Features.
    """

    def __init__(self, *, width: Annotated[int, Ge(1)] = 4) -> None:
        super().__init__()
        self.spec, self.linear = FeatureSpec(width), nn.Linear(3, width)

    def forward(self, images: Tensor, maps: bool = False) -> Features:
        return Features(self.linear(images.mean((2, 3))))


class Rating(Head):
    """A linear score on the scale of the labels."""

    def __init__(self, features: FeatureSpec, label: LabelSpec, /) -> None:
        super().__init__()
        self.linear, self.label = nn.Linear(features.width, 1), label

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        return {"stars": OutputSpec("score", mean=self.label.mean, std=self.label.std)}

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        return {"stars": self.linear(features.pooled)[:, 0] * self.label.std + self.label.mean}


class Whole(Predict):
    """The image as it is, one by one."""

    def __call__(self, images: Sequence[Tensor], forward: Forward) -> Answers:
        rows = [forward(image[None].float() / 255) for image in images]
        return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
