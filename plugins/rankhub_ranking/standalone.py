"""A recipe's loss in anybody's loop: plain tensors in, one differentiable number out."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rankhub.interfaces.loss import Loss, LossContext, LossResult
from rankhub.interfaces.model import OutputKind, OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.annealing import Annealed
from rankhub_ranking.queue import Queue


def output_of(values: Tensor, kind: OutputKind = "embedding") -> dict[str, OutputSpec]:
    """What a loss is told of the tensor that it is taken of: embeddings [N, d] or scores [N].

    Raises:
        ValueError: The tensor has another number of axes, or does not hold floating-point numbers.
    """
    axes = 2 if kind == "embedding" else 1
    if values.ndim != axes or not values.is_floating_point():
        wanted = "[N, d]" if axes == 2 else "[N]"
        raise ValueError(f"{kind}s are {wanted} floating-point numbers, got {values.dtype} {list(values.shape)}")
    return {kind: OutputSpec(kind, values.shape[1] if axes == 2 else 1)}


def ids(values: Tensor, rows: Tensor, what: str) -> Tensor:
    """Integers [N], one for each of ``rows``, as int64 on their device.

    Raises:
        ValueError: They are no integers, or not as many as there are rows.
    """
    if values.shape != rows.shape[:1] or values.is_floating_point() or values.is_complex():
        raise ValueError(f"{what} are [{len(rows)}] integers, one a row, got {values.dtype} {list(values.shape)}")
    return values.detach().to(rows.device, torch.int64)


def order_of(rows: Tensor, groups: Tensor, levels: Tensor | None = None, views: Tensor | None = None) -> RankTarget:
    """The order among N rows: their groups [N], levels [N] or [N, K] (None = all equal), numbers of view [N].

    Without ``views`` each row is an image of its own; with them a group is an image.

    Raises:
        ValueError: Numbers of rows differ, or groups are no integers.
    """
    group = ids(groups, rows, "groups")
    if levels is None:
        levels = rows.new_zeros(len(rows), dtype=torch.float32)
    if views is None:
        return RankTarget(
            torch.arange(len(rows), device=rows.device), torch.zeros_like(group), group, _level(levels, rows)
        )
    return RankTarget(group, ids(views, rows, "views"), group, _level(levels, rows))


def _level(levels: Tensor, rows: Tensor) -> Tensor:
    if levels.ndim not in (1, 2) or len(levels) != len(rows):
        raise ValueError(f"levels are [{len(rows)}] or [{len(rows)}, K], a row each, got {list(levels.shape)}")
    kept = levels.dtype if levels.dtype == torch.float64 else torch.float32
    return levels.detach().to(rows.device, kept)


def refuse_steps(loss: Loss) -> None:
    """Refuse what only the steps of a training run can give: embeddings of earlier ones, a number that changes.

    Raises:
        ValueError: The loss has a queue, or a number with an end.
    """
    told = [name for name, part in loss.named_modules() if isinstance(part, Queue)]
    told += [f"{name}_end" for name, part in vars(loss).items() if isinstance(part, Annealed) and part.end is not None]
    if told:
        raise ValueError(
            f"{told[0]} needs the steps of a training run, which a function of one batch does not know; leave it out, "
            "or use the loss in a recipe"
        )


def mean_loss(loss: Loss, values: Tensor, target: RankTarget, kind: OutputKind = "embedding") -> Tensor:
    """Scalar with a graph: the loss divided by its count, as the engine does; 0 where there is nothing to count.

    Raises:
        ValueError: As :func:`refuse_steps`.
    """
    refuse_steps(loss)
    result: LossResult = loss({kind: values}, target, LossContext())
    nothing = 0 * values.sum()  # NaN and infinity stay visible where only the order of the values counts
    return result.total / loss.count(target).clamp(min=1) + nothing


class LabelLoss(nn.Module):
    """``loss(embeddings, labels)``: rows of one label are each other's positives, all others negatives.

    The signature is that of pytorch-metric-learning's losses, without its miners and reference embeddings.

    Args:
        options: Those of the loss, by name.

    Attributes:
        method: The loss.

    Raises:
        TypeError: The loss has no such option.
        ValueError: As :func:`refuse_steps`.
    """

    method: ClassVar[type[Loss]]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        refuse_steps(self.method({"embedding": OutputSpec("embedding", 1)}, **options))  # and other wrong options

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Scalar with a graph: the mean over the rows that share their label with another row; 0 without such rows.

        Args:
            embeddings: [N, d] of any length, in any floating-point type; computed in float32 or float64.
            labels: [N] integers.

        Raises:
            ValueError: Shapes or types are others.
        """
        loss = self.method(output_of(embeddings), **self.options)
        return mean_loss(loss, embeddings, order_of(embeddings, labels))

    def extra_repr(self) -> str:
        """The options that were set."""
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())
