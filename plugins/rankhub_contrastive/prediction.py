"""Each view predicts the targets of the other views of its image: what SwAV and DINO share."""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_ranking.pairs import numbered


def target_rows(target: RankTarget, global_views: int) -> Tensor:
    """[t] int64, the rows that are predicted: views numbered below ``global_views``; on the device of the target."""
    return sent(torch.nonzero(target.on_cpu.view < global_views).flatten(), target.view.device)


def prediction_count(target: RankTarget, global_views: int) -> Tensor:
    """Scalar: the number of pairs of a target and another view of its image that predicts it."""
    target = target.on_cpu
    sample, sizes = numbered(target.index)
    return (sizes[sample[target_rows(target, global_views)]] - 1).sum()


def prediction_loss(
    targets: Tensor, rows: Tensor, logits: Tensor, order: RankTarget, only: Tensor | None = None
) -> Tensor:
    """Σ over targets t and other views s of the same sample of -Σ_k targets[t, k] log softmax(logits[s])_k.

    The cross-entropy is linear in its target, so the targets [t, K] of a sample, at ``rows`` [t] of the views, are
    added up first: one cross-entropy a view, however many it predicts. ``only`` [N]: rows whose predictions count; None
    = all.
    """
    sample, sizes = numbered(order.on_cpu.index)
    sample = sent(sample, logits.device)
    by_sample = targets.new_zeros(len(sizes), targets.shape[1]).index_add_(0, sample[rows], targets)
    wanted = by_sample[sample].index_add_(0, rows, targets, alpha=-1)
    if only is not None:
        kept = sent(only.cpu().nonzero().flatten(), logits.device)
        wanted, logits = wanted[kept], logits[kept]
    return -(wanted * torch.log_softmax(logits, 1)).sum()


@torch.no_grad()
def target_parts(targets: Tensor) -> dict[str, Tensor]:
    """For the log: how sharp the targets are, and how many of the K choices they use.

    "target_entropy", the mean entropy of a target [t, K] in [0, log K], to which the loss can fall; and "perplexity",
    exp of the entropy of the mean target, in [1, K]: 1 when every view gets the same choice, a collapse. Empty without
    targets.
    """
    if not len(targets):
        return {}
    return {
        "target_entropy": torch.special.entr(targets).sum(1).mean(),
        "perplexity": torch.special.entr(targets.mean(0)).sum().exp(),
    }
