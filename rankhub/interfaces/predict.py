"""How one image becomes one answer at test time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

Forward = Callable[[Tensor], Mapping[str, Tensor]]
"""[n, 3, H, W] float in [0, 1] -> output name -> [n, ...]. ``backbone`` is always among the names."""


class Predict(ABC):
    """One definition of test time for evaluators, acquirers and every verb.

    The same image gives the same answer every time: random crops are seeded by the image's content.
    """

    @abstractmethod
    def __call__(self, images: Sequence[Tensor], forward: Forward) -> dict[str, Tensor]:
        """One row an image.

        Args:
            images: [3, H, W] uint8 each, of any size, on the device of the network.
            forward: The network in evaluation mode, or what stands in for it.
        """

    def check_images(self, sizes: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.bool_]] | None:
        """What is wrong with images of these sizes; as in :class:`rankhub.interfaces.generator.Generator`."""
        return None
