"""From samples and views of a worker to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rankhub.interfaces.batch import Batch, View
from rankhub.interfaces.data import LabelSpec, Sample
from rankhub.interfaces.order import Label, RankTarget
from rankhub.interfaces.points import Points


def first_view(sample: Sample) -> View:
    """The view that a chain starts from: the whole image."""
    return View(sample.image, sample.index, label=sample.label, meta=sample.meta)


def stack_images(images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Images of any size to one stack, padded with 0 at the right and the bottom.

    Returns:
        [n, 3, H, W] of the images' type, and [n, 2] int64 heights and widths.
    """
    sizes = torch.tensor([image.shape[-2:] for image in images], dtype=torch.int64).reshape(-1, 2)
    height, width = sizes.max(dim=0).values.tolist()
    # By numpy: a stack is made in the feed's thread, where torch would start a second team of threads that spins.
    stack = np.zeros((len(images), images[0].shape[0], height, width), dtype=images[0].numpy().dtype)
    for row, image in zip(stack, images, strict=True):
        row[:, : image.shape[-2], : image.shape[-1]] = image.numpy()
    return torch.from_numpy(stack), sizes


def _labels(views: Sequence[View], sizes: Tensor, maps: Tensor, label: LabelSpec) -> Label | None:
    if label.kind is None:
        return None
    if label.kind == "points":
        return Points.of([view.label for view in views], sizes).moved(maps, sizes)
    kept: list[Any] = [view.label for view in views]
    if label.kind == "class":
        return torch.tensor([-1 if value is None else int(value) for value in kept], dtype=torch.int64)
    return torch.tensor([float("nan") if value is None else float(value) for value in kept], dtype=torch.float32)


def collate(views: Sequence[View], groups: int, label: LabelSpec) -> Batch:
    """Views of a batch's samples as a batch with one stack a size-to-be.

    Args:
        views: All views of all samples, those of one sample together.
        groups: Kinds of change a sample has; (index, kind) becomes the group's id.
        label: What the labels are.
    """
    stack, sizes = stack_images([view.image for view in views])
    index = torch.tensor([view.index for view in views], dtype=torch.int64)
    kind = torch.tensor([view.kind for view in views], dtype=torch.int64)
    maps = torch.from_numpy(np.stack([view.map for view in views]))
    target = RankTarget(
        index=index,
        view=torch.tensor([view.view for view in views], dtype=torch.int64),
        group=index * groups + kind,
        level=torch.tensor([view.level for view in views], dtype=torch.float32),
        label=_labels(views, sizes, maps, label),
        kind=kind,
    )
    return Batch((stack,), sizes, maps, target)
