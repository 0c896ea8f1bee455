"""What the averaged network says of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rankhub.engine.device import Compute
from rankhub.engine.network import Network, Outputs
from rankhub.engine.objectives import Objective, heads_of
from rankhub.interfaces.batch import Batch


@torch.no_grad()
def teacher_outputs(teacher: Network, compute: Compute, batch: Batch, objectives: Sequence[Objective]) -> Outputs:
    """The teacher's outputs on the views of a batch.

    It sees only the stacks that hold a view which some loss asks for (the large crops); the rows of the others are 0.

    Args:
        teacher: In training mode.
        compute: Device and precision.
        batch: N views.
        objectives: The objectives of the stream.
    """
    wanted = [_wanted(batch, objectives, start, len(stack)) for start, stack in _starts(batch)]
    images = [compute.images(stack) for stack, seen in zip(batch.images, wanted, strict=True) if seen]
    with compute.autocast():
        outputs: Outputs = teacher(images, heads_of(objectives))
    if all(wanted):
        return outputs
    mask = torch.cat([torch.full((len(stack),), seen) for stack, seen in zip(batch.images, wanted, strict=True)])
    rows = mask.nonzero().flatten()
    return {head: {name: _spread(value, rows, len(batch)) for name, value in o.items()} for head, o in outputs.items()}


def _starts(batch: Batch) -> list[tuple[int, Tensor]]:
    starts, place = [], 0
    for stack in batch.images:
        starts.append((place, stack))
        place += len(stack)
    return starts


def _wanted(batch: Batch, objectives: Sequence[Objective], start: int, length: int) -> bool:
    limits = [objective.loss.teacher_views for objective in objectives]
    if len(batch.images) == 1 or any(limit is None for limit in limits):
        return True
    views = batch.target.view[start : start + length]
    return bool((views < max(limit for limit in limits if limit is not None)).any())


def _spread(value: Tensor, rows: Tensor, count: int) -> Tensor:
    return value.new_zeros((count, *value.shape[1:])).index_copy_(0, rows.to(value.device), value)
