"""The projection head of self-supervised training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import Features, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.options import Ge


class Projection(Head):
    """Linear layers with ReLU between them, on the pooled features: one output ``embedding``, not normalised.

    Without ``norm`` and with two layers this is SimCLR's head (Chen et al. 2020, section 2.1). Losses on cosine
    similarity normalise by themselves; evaluation usually takes the features before the head.

    Args:
        dim: Columns of the embedding.
        hidden: Width of the hidden layers; default: the width of the features.
        layers: Linear layers; 1 has no hidden layer.
        norm: ``batch`` puts BatchNorm before each ReLU.
    """

    def __init__(
        self,
        features: FeatureSpec,
        label: LabelSpec,
        /,
        *,
        dim: Annotated[int, Ge(1)] = 128,
        hidden: Annotated[int, Ge(1)] | None = None,
        layers: Annotated[int, Ge(1)] = 2,
        norm: Literal["none", "batch"] = "none",
    ) -> None:
        super().__init__()
        self._outputs = {"embedding": OutputSpec("embedding", dim)}
        between = hidden or features.width
        stack: list[nn.Module] = []
        width = features.width
        for _ in range(layers - 1):
            stack.append(nn.Linear(width, between, bias=norm == "none"))
            if norm == "batch":
                stack.append(nn.BatchNorm1d(between))
            stack.append(nn.ReLU(inplace=True))
            width = between
        self.layers = nn.Sequential(*stack, nn.Linear(width, dim))

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """``embedding`` [N, dim]."""
        return self._outputs

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        """Project the pooled features."""
        return {"embedding": self.layers(features.pooled)}
