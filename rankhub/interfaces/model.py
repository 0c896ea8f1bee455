"""Networks: a backbone and named heads with named outputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec

OutputKind = Literal["embedding", "score", "map", "count", "pooled", "logits", "prototypes"]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Shapes of a backbone's features.

    Attributes:
        width: D of the pooled features.
        map_channels: Channels of the last feature map, 0 where there is none.
        map_stride: Pixels of the image to one cell of that map, 0 where there is none.
        receptive_field: Side in pixels of what one cell of the map can see; 0 where it is not known, or where a cell
            sees the whole image (attention, statistics taken over the image).
    """

    width: int
    map_channels: int = 0
    map_stride: int = 0
    receptive_field: int = 0


@dataclass(frozen=True, slots=True)
class Features:
    """Features of N views.

    Attributes:
        pooled: [N, D].
        maps: One [n, C, h, w] a stack, in the order of the rows; None unless a head asks for them.
    """

    pooled: Tensor
    maps: Sequence[Tensor] | None = None


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output of a head.

    Attributes:
        kind: ``embedding`` [N, dim]; ``score`` [N]; ``map`` [N, 1, h, w] points a cell; ``count`` [N] the sum of a map;
            ``pooled`` [N] its mean over the cells; ``logits`` [N, dim]; ``prototypes`` [N, dim].
        dim: Columns, where the kind has them.
        mean: Of a score: the label that stands at 0 of the standardized scale.
        reach: Of a map: a cell depends on the backbone's cells up to this many cells away.
        std: One standardized unit, above 0, in the unit of the output: of a score in that of the labels, of a count in
            points, of a map and of its mean in points a cell. Losses divide by it.
    """

    kind: OutputKind
    dim: int = 1
    mean: float = 0.0
    std: float = 1.0
    reach: int = 0


class Backbone(nn.Module, ABC):
    """Images to features. The network passes each view through it once."""

    spec: FeatureSpec
    starts_trained: bool = False
    """Whether :meth:`initialize` loads weights that were trained before."""

    def missing(self) -> str | None:
        """One sentence if the weights that the options ask for are not there, and what gets them; reads none."""
        return None

    def initialize(self) -> None:
        """Load pretrained weights, if the options ask for them. Called once, and not when a run is resumed.

        Kept out of the constructor, which the recipe's check calls on torch's ``meta`` device.

        Raises:
            UserError: The weights are not there or do not fit; one sentence.
        """

    @abstractmethod
    def forward(self, images: Tensor, maps: bool = False) -> Features:
        """Features of a stack [n, 3, H, W] of RGB in [0, 1], which the backbone normalizes; maps if a head asks."""


class Head(nn.Module, ABC):
    """Features to named outputs. ``outputs`` must be known once the constructor is done.

    Positional-only constructor parameters, in this order: ``features: FeatureSpec``, ``label: LabelSpec``.
    """

    needs_maps: bool = False

    @property
    @abstractmethod
    def outputs(self) -> Mapping[str, OutputSpec]:
        """Name -> kind, width and unit of that output."""

    @abstractmethod
    def forward(self, features: Features) -> Mapping[str, Tensor]:
        """Name -> [N, ...], the names of ``outputs``."""

    def picture(
        self, image: Tensor, answers: Mapping[str, Tensor], label: LabelSpec, name: str
    ) -> npt.NDArray[np.uint8] | None:
        """The head's outputs drawn onto an image [3, H, W] uint8: [H', W', 3] uint8; None = nothing to draw.

        Args:
            image: What is drawn onto.
            answers: The names of ``outputs`` -> what ``predict`` gave for it, maps [1, h, w].
            label: What the head was trained on.
            name: Of the image, for a title.
        """
        return None
