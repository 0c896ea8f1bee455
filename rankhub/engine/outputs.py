"""What a network says of a data set's images, and of views of them: a block of images at a time, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from rankhub.engine.collate import collate, first_view
from rankhub.engine.feed import Chain
from rankhub.engine.fitting import check_images
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.predict import Answers, Forward, Predict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImageOutputs:
    """What a network says of images by a recipe's test time.

    Attributes:
        forward: The network in evaluation mode.
        predict: Test time.
        dataset: Open.
        device: That of the network.
        user: What takes the images, for a sentence.

    Raises:
        UserError: Test time cannot take some of the images.
    """

    forward: Forward
    predict: Predict
    dataset: Dataset
    device: torch.device
    user: str

    def __post_init__(self) -> None:
        check_images(self.user, self.dataset, [self.predict])

    def __call__(self, rows: Sequence[int]) -> Answers:
        """Of one block of images, by their positions: float32, one row an image."""
        return self.of([self.dataset[row].image for row in rows])

    def of(self, images: Sequence[Tensor]) -> Answers:
        """Of images that are decoded already."""
        said = self.predict([image.to(self.device) for image in images], self.forward)
        return {name: _on_cpu(rows) for name, rows in said.items()}


@dataclass(frozen=True, slots=True)
class ViewOutputs:
    """What a network says of every view that a stream's generator makes of images.

    Attributes:
        forward: The network in evaluation mode.
        chain: Makes the views.
        dataset: Open.
        device: That of the network.
        user: What takes the images, for a sentence.

    Raises:
        UserError: The generator cannot take some of the images.
    """

    forward: Forward
    chain: Chain
    dataset: Dataset
    device: torch.device
    user: str

    def __post_init__(self) -> None:
        check_images(self.user, self.dataset, self.chain.own_size)

    def __call__(self, rows: Sequence[int], draw: int) -> tuple[dict[str, Tensor], RankTarget]:
        """Of one block of images, by their positions.

        Args:
            rows: Positions.
            draw: In the address of the views; another number draws others.

        Returns:
            Name -> [views, ...] float32, without maps, which are of no use view by view; and what the views are.
        """
        views = [view for row in rows for view in self.chain.in_worker([first_view(self.dataset[row])], draw)]
        stacked = collate(views, self.chain.views.groups, self.dataset.label)
        batch = self.chain.on_device(stacked.to(self.device), draw)
        stacks = [self.forward(stack) for stack in batch.images]
        plain = [name for name, rows in stacks[0].items() if rows.ndim < 3]
        values = {name: torch.cat([stack[name].float().cpu() for stack in stacks]) for name in plain}
        return values, batch.target.to(torch.device("cpu"))


def blocks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, ``size`` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _on_cpu(rows: Tensor | Sequence[Tensor]) -> Tensor | Sequence[Tensor]:
    return rows.float().cpu() if isinstance(rows, Tensor) else [one.float().cpu() for one in rows]
