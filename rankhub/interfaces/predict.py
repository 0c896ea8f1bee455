"""How one image becomes one answer at test time."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.model import FeatureSpec, OutputSpec

Answers = dict[str, Tensor | Sequence[Tensor]]
"""Name of an output -> one row an image: [n, ...], or of a map n tensors [1, h, w] whose cells are spread evenly over
their image."""


class Forward(Protocol):
    """The network in evaluation mode, or what stands in for it.

    Attributes:
        features: What its backbone gives.
        outputs: ``HEAD.OUTPUT`` -> what it is.
    """

    features: FeatureSpec
    outputs: Mapping[str, OutputSpec]

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """Images [n, 3, H, W] float in [0, 1] to name -> [n, ...]: ``outputs``, and ``backbone``, pooled features."""


class Predict(ABC):
    """One definition of test time for evaluators, verbs and whatever else asks the network.

    The same image gives the same answer every time: random crops are seeded by the image's content.
    """

    @abstractmethod
    def __call__(self, images: Sequence[Tensor], forward: Forward) -> Answers:
        """One row an image, each [3, H, W] uint8 of any size, on the device of the network."""

    def remarks(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """Sentences that belong beside the answers for these outputs, such as that they are approximate."""
        return ()

    def check(self, outputs: Mapping[str, OutputSpec], features: FeatureSpec) -> Iterable[str]:
        """Sentences against the outputs of the recipe's heads (``HEAD.OUTPUT``); none if all can be answered so."""
        return ()

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """What is wrong with images of these sizes; as in :class:`rankhub.interfaces.generator.Generator`."""
        return None


class ViewRecorder:
    """Takes the place of a network and records the views passed to it: ``seen``, stacks [v, 3, H, W] in order."""

    outputs: Mapping[str, OutputSpec] = MappingProxyType({})

    def __init__(self, features: FeatureSpec) -> None:
        self.features = features
        self.seen: list[Tensor] = []

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Record the views; there are no outputs."""
        self.seen.append(images)
        return {"backbone": images.new_zeros(len(images), 1)}
