"""The head of DINO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import Features, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.options import Ge
from rankhub_ranking.embeddings import full_precision, unit_rows


class DINOHead(Head):
    """A perceptron of three layers to a unit-length embedding, and its cosines with prototypes.

    Outputs: "embedding" [N, bottleneck] of unit length, for evaluation; "scores" [N, prototypes], cosines in
    [-1, 1]. The last layer has no bias and its weight is normalized: each prototype is a direction whose length is 1
    and does not learn. Cosines are taken in float32 also inside autocast, because the loss divides them by small
    temperatures.

    Source: Caron et al.: Emerging properties in self-supervised vision transformers, ICCV 2021 (arXiv 2104.14294),
    appendix C, with the authors' initial weights (normal of deviation .02, cut at 2) and GELU.

    Args:
        prototypes: K, the columns of "scores". The authors' 65,536 is for ImageNet; 1,024 to 4,096 suits small sets.
        hidden: Width of the two hidden layers.
        bottleneck: Columns of "embedding".
        norm: BatchNorm after each hidden layer, as the authors use it for convolutional networks; none for vision
            transformers.
    """

    def __init__(
        self,
        features: FeatureSpec,
        label: LabelSpec,
        /,
        *,
        prototypes: Annotated[int, Ge(2)] = 65536,
        hidden: Annotated[int, Ge(1)] = 2048,
        bottleneck: Annotated[int, Ge(1)] = 256,
        norm: Literal["none", "batch"] = "none",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in (features.width, hidden):
            layers += [nn.Linear(width, hidden), *([nn.BatchNorm1d(hidden)] if norm == "batch" else []), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, bottleneck))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """The embedding and its scores."""
        count, dim = self.prototypes.shape
        return {"embedding": OutputSpec("embedding", dim), "scores": OutputSpec("prototypes", count)}

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        """Both outputs of each view."""
        embedding = unit_rows(self.layers(features.pooled))
        with torch.autocast(embedding.device.type, enabled=False):
            prototypes = F.normalize(full_precision(self.prototypes), dim=1).to(embedding.dtype)
            return {"embedding": embedding, "scores": embedding @ prototypes.T}
