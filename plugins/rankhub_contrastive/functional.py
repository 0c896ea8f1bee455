"""Contrastive losses without a state on plain tensors, for any training loop.

They are the losses of recipes, with the same options, defaults and sources; their classes document them (``rankhub
describe loss nt_xent``). All raise ValueError where shapes or types are others. SwAV, MoCo and DINO keep prototypes,
a queue or a centre beside the network and are for recipes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub.interfaces.loss import Loss
from rankhub_contrastive.barlow_twins import BarlowTwins
from rankhub_contrastive.nt_xent import NTXent
from rankhub_contrastive.vicreg import VICReg
from rankhub_ranking.standalone import LabelLoss, mean_loss, order_of, output_of


def nt_xent(embeddings: Tensor, groups: Tensor, temperature: float = 0.5) -> Tensor:
    """SimCLR's loss of embeddings [N, d]; rows of one group [N] are each other's positives. Scalar with a graph.

    The mean over the rows that share their group with another; 0 without such rows. Memory grows with N, not N².
    """
    return mean_loss(NTXent(output_of(embeddings), temperature=temperature), embeddings, order_of(embeddings, groups))


def barlow_twins(first: Tensor, second: Tensor, off_diagonal_weight: float = 1 / 128) -> Tensor:
    """Barlow Twins' loss of two views' embeddings, [n, d] each, row by row of the same images. Scalar with a graph."""
    return _views(BarlowTwins(output_of(first), off_diagonal_weight=off_diagonal_weight), first, second)


def vicreg(
    first: Tensor, second: Tensor, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> Tensor:
    """VICReg's loss of two views' embeddings, [n, d] each, row by row of the same images. Scalar with a graph."""
    loss = VICReg(output_of(first), invariance=invariance, variance=variance, covariance=covariance)
    return _views(loss, first, second)


def _views(loss: Loss, first: Tensor, second: Tensor) -> Tensor:
    if first.shape != second.shape:
        raise ValueError(f"both views have the same shape, got {list(first.shape)} and {list(second.shape)}")
    image = torch.arange(len(first), device=first.device).repeat(2)
    view = torch.arange(2, device=first.device).repeat_interleave(len(first))
    rows = torch.cat([first, second])
    return mean_loss(loss, rows, order_of(rows, image, views=view))


class NTXentLoss(LabelLoss):
    """:func:`nt_xent` as a module, ``loss(embeddings, labels)``."""

    method = NTXent
