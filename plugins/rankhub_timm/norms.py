"""Normalisation layers that keep the statistics they have."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def norms_of(network: nn.Module) -> list[nn.Module]:
    """The layers of a network that gather statistics of what they see in training.

    BatchNorm of every make (timm's BatchNormAct2d, SyncBatchNorm, ...), and whatever else keeps a running mean or
    variance, such as EvoNorm-B. Others, such as LayerNorm and GroupNorm, do the same in training and in evaluation.
    """
    kept = {"running_mean", "running_var"}
    return [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) or kept & dict(module.named_buffers(recurse=False)).keys()
    ]


def freeze_norms(network: nn.Module) -> None:
    """Put those layers into evaluation: they normalise with the statistics they have. Scale and shift still learn.

    Call it after each ``network.train()``. What stands inside such a layer, such as the DropBlock of BatchNormAct2d,
    keeps its mode.
    """
    for layer in norms_of(network):
        layer.training = False
