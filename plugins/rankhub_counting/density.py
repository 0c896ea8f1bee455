"""A head that gives a map of density, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import Features, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.options import Ge
from rankhub_ranking.embeddings import full_precision

BASE = 1.0
"""What an untrained head gives on average, in standardized units: the mean density of the training images."""

EMPTY = 0.5
"""What an untrained zero-inflated head takes for the share of cells that are empty for what they are."""


class Density(Head):
    """From the feature maps to a map of how many points lie in each cell, their number, and their mean.

    Outputs: ``map`` [N, 1, h, w], points a cell; ``count`` [N], its sum; ``pooled`` [N], its mean over the cells. With
    ``activation: zero_inflated`` also ``suppressed`` [N, 1, h, w], points a cell too.

    The network works in standardized units, so that no factor need be found: a unit of ``map`` and ``pooled`` is the
    number of points that a cell of the training images has on average (points a pixel x stride²), and a unit of
    ``count`` the standard deviation of the number of points of a training image. An untrained head answers about that
    average everywhere. Trained without labels it counts one point to a cell.

    Views whose maps differ in size are refused, since there is no one map to give.

    Source: Liu, van de Weijer, Bagdanov, CVPR 2018 (arXiv 1803.03095): one 3 x 3 convolution without an activation on
    VGG-16's last map.

    Args:
        activation: linear = as in the paper: a cell may be negative; softplus = always above 0, and unlike a ReLU with
            a gradient everywhere; zero_inflated = for the loss ``zip_nll``: each cell has a rate λ (a softplus) and a
            probability π (a sigmoid) of being empty all the same, ``map`` is (1 - π) λ, what is expected, and
            ``suppressed`` the rest, π λ. Other losses on the map then name it: ``output: map``.
        hidden: Channels of one more 3 x 3 convolution with ReLU before; None = none.
        kernel: Side of the convolutions, odd.
        upsample: The features are enlarged so many times (bilinear) before the convolutions, for a finer map.
    """

    needs_maps = True
    scale: Tensor

    def __init__(
        self,
        features: FeatureSpec,
        label: LabelSpec,
        /,
        *,
        activation: Literal["linear", "softplus", "zero_inflated"] = "linear",
        hidden: Annotated[int, Ge(1)] | None = None,
        kernel: Literal[1, 3, 5] = 3,
        upsample: Literal[1, 2, 4, 8] = 1,
    ) -> None:
        super().__init__()
        self.activation, self.upsample = activation, upsample
        stride = features.map_stride / upsample
        cell = label.density * stride**2 if label.density > 0 else 1.0
        around = (1 if hidden is None else 2) * (kernel // 2)
        reach = math.ceil(around / upsample) + (upsample > 1)
        self._outputs = {
            "map": OutputSpec("map", std=cell, reach=reach),
            "count": OutputSpec("count", std=label.std),
            "pooled": OutputSpec("pooled", std=cell),
        }
        if activation == "zero_inflated":
            self._outputs["suppressed"] = OutputSpec("map", std=cell, reach=reach)
        # No part of the weights: weights that another run has trained take on the scale of this run's labels.
        self.register_buffer("scale", torch.tensor(cell), persistent=False)
        steps: list[nn.Module] = []
        width = features.map_channels
        if hidden is not None:
            steps += [nn.Conv2d(width, hidden, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
            width = hidden
        channels = 2 if activation == "zero_inflated" else 1
        self.convolutions = nn.Sequential(*steps, nn.Conv2d(width, channels, kernel, padding=kernel // 2))
        last = self.convolutions[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        with torch.no_grad():
            last.weight.mul_(0.1)  # the average at first, whatever the size of the features
            last.bias.copy_(torch.tensor(_first(activation)))

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """``map``, ``count``, ``pooled`` and perhaps ``suppressed``, each with its scale."""
        return self._outputs

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        """``map`` [N, 1, h, w], ``count`` [N], ``pooled`` [N] and perhaps ``suppressed`` [N, 1, h, w].

        Raises:
            UserError: The views differ in size.
        """
        maps = list(features.maps or ())
        if any(one.shape[-2:] != maps[0].shape[-2:] for one in maps[1:]):
            raise UserError(
                "the density head needs views of one size, but this stream has several; let all its generators make "
                "views of one `size`"
            )
        stack = maps[0] if len(maps) == 1 else torch.cat(maps)
        if self.upsample > 1:
            stack = F.interpolate(stack, scale_factor=self.upsample, mode="bilinear", align_corners=False)
        number = full_precision(self.convolutions(stack))
        density = self.scale * (number if self.activation == "linear" else F.softplus(number[:, :1]))
        further = {}
        if self.activation == "zero_inflated":
            empty = number[:, 1:]
            # Not 1 - sigmoid, which loses the small one of the two.
            further["suppressed"] = density * empty.sigmoid()
            density = density * (-empty).sigmoid()
        return {"map": density, "count": density.sum(dim=(1, 2, 3)), "pooled": density.mean(dim=(1, 2, 3)), **further}

    def picture(
        self, image: Tensor, answers: Mapping[str, Tensor], label: LabelSpec, name: str
    ) -> npt.NDArray[np.uint8] | None:
        """The density on the image."""
        from rankhub_counting.overlay import overlay

        return overlay(image, answers["map"], float(answers["count"]), unit=label.unit, name=name)


def _first(activation: str) -> list[float]:
    """Biases of the last convolution with which the map is BASE."""
    if activation == "zero_inflated":
        return [_softplus_inverse(BASE / (1 - EMPTY)), math.log(EMPTY / (1 - EMPTY))]
    return [BASE if activation == "linear" else _softplus_inverse(BASE)]


def _softplus_inverse(value: float) -> float:
    return math.log(math.expm1(value))
