"""A head that gives one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import Features, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.options import Ge, Lt
from rankhub_ranking.embeddings import full_precision


class Score(Head):
    """From the pooled features to one number, higher = better. Output ``score`` [N], in the unit of the labels.

    The network works on standardized scores: score = mean + std * number, with mean and standard deviation of the
    training labels, which the run's folder keeps. Where the head is trained without labels they are 0 and 1.

    Args:
        hidden: Width of one hidden layer with ReLU; None = a linear map.
        dropout: Share of the inputs of each linear layer that is dropped in training.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        features: FeatureSpec,
        label: LabelSpec,
        /,
        *,
        hidden: Annotated[int, Ge(1)] | None = None,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        self._outputs = {"score": OutputSpec("score", mean=label.mean, std=label.std)}
        # No part of the weights: weights that another run has trained take on the scale of this run's labels.
        self.register_buffer("mean", torch.tensor(label.mean), persistent=False)
        self.register_buffer("std", torch.tensor(label.std), persistent=False)
        steps: list[nn.Module] = []
        width = features.width
        if hidden is not None:
            steps += [nn.Dropout(dropout), nn.Linear(width, hidden), nn.ReLU(inplace=True)]
            width = hidden
        self.mlp = nn.Sequential(*steps, nn.Dropout(dropout), nn.Linear(width, 1))

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """The score and its scale."""
        return self._outputs

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        """``score`` [N]."""
        number = full_precision(self.mlp(features.pooled)[:, 0])
        return {"score": self.mean + self.std * number}
