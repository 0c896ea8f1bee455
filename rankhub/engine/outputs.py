"""Views of a data set's images, made and passed through a network a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from rankhub.engine.collate import collate, first_view
from rankhub.engine.feed import Chain
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.predict import Forward

T = TypeVar("T")


def see(
    forward: Forward, chain: Chain, dataset: Dataset, images: Sequence[int], epoch: int, device: torch.device
) -> tuple[dict[str, Tensor], RankTarget]:
    """What the network says of every view of some images.

    Args:
        forward: The network in evaluation mode.
        chain: Makes the views.
        dataset: Open.
        images: Positions in it.
        epoch: In the address of the views.
        device: That of the network.

    Returns:
        Name -> [views, ...] on the CPU, without maps, which are of no use view by view; and what the views are.
    """
    views = [view for index in images for view in chain.in_worker([first_view(dataset[index])], epoch)]
    batch = chain.on_device(collate(views, chain.views.groups, dataset.label).to(device), epoch)
    stacks = [forward(stack) for stack in batch.images]
    plain = [name for name, rows in stacks[0].items() if rows.ndim < 3]
    values = {name: torch.cat([stack[name].float().cpu() for stack in stacks]) for name in plain}
    return values, batch.target.to(torch.device("cpu"))


def blocks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, ``size`` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
