"""A small MLP on the pooled features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import Features, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.options import Ge


class Projection(Head):
    """Linear, ReLU, linear: from the pooled features to the embedding that a loss compares.

    The default is the head of SimCLR and MIX'EM: two layers, the hidden one as wide as the features, no batch
    normalization. The embedding is not normalized; losses do that. Output ``embedding`` [N, dim].

    Args:
        dim: Columns of the embedding.
        hidden: Width of the hidden layers; by default that of the features.
        layers: Linear layers; 1 = a linear map.
        norm: batch = batch normalization after each hidden layer (whose bias it makes needless).
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
        steps: list[nn.Module] = []
        width = features.width
        for _ in range(layers - 1):
            wide = hidden or features.width
            steps.append(nn.Linear(width, wide, bias=norm == "none"))
            if norm == "batch":
                steps.append(nn.BatchNorm1d(wide))
            steps.append(nn.ReLU(inplace=True))
            width = wide
        self.mlp = nn.Sequential(*steps, nn.Linear(width, dim))

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """The embedding."""
        return self._outputs

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        """``embedding`` [N, dim]."""
        return {"embedding": self.mlp(features.pooled)}
