"""A loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from rankhub.interfaces.loss import Loss, LossContext, LossResult, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget


class Apart(Loss):
    """Absolute distance of a view from the label times its level.

    Args:
        strength: Factor.
    """

    scope = "sample"

    def __init__(self, outputs: Mapping[str, OutputSpec], /, *, strength: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.name, self.strength = single_output(outputs, "score", "mse"), strength

    def count(self, target: RankTarget) -> Tensor:
        return torch.tensor(float(len(target)))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        wanted = target.label * target.level
        return LossResult(self.strength * (outputs[self.name] - wanted).abs().sum())
