"""How far a cell of a network's last map sees, where that can be told from its layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.vgg import VGG
from torch import nn

POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout, nn.SiLU, nn.LeakyReLU, nn.ELU)
"""Layers that look at one place at a time, once they are in evaluation mode."""


def receptive_field(network: Any, cut: int | None = None) -> int:
    """Side in pixels of what a cell of the last map sees; 0 where it is not known, or the whole image.

    Known for timm's VGG and ResNet with batch normalisation, of plain convolutions and poolings: each layer of kernel k
    adds (k - 1) x dilation x the stride before it. A block's shortcut sees less than its convolutions.

    Args:
        network: Of timm.
        cut: The layer after which it ends; None = the whole network.
    """
    if type(network) is VGG:
        last = None if cut is None else int(network.feature_info[cut]["module"].rpartition(".")[2]) + 1
        chain: Iterable[nn.Module] | None = list(network.features)[:last]
    elif type(network) is ResNet:
        chain = _resnet(network)
    else:
        return 0
    field = stride = 1
    for layer in chain or ():
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            kernel, step = _number(layer.kernel_size), _number(layer.stride)
            dilation = _number(getattr(layer, "dilation", 1))
            field += (kernel - 1) * dilation * stride
            stride *= step
        elif not isinstance(layer, POINTWISE):
            return 0
    return field if chain is not None else 0


def _resnet(network: ResNet) -> list[nn.Module] | None:
    """The layers of the longest way through; None where some are of another kind."""
    chain: list[nn.Module] = [*_leaves(network.conv1), network.bn1, network.act1, *_leaves(network.maxpool)]
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in () if isinstance(stage, nn.Identity) else stage:  # what was cut off
            if not isinstance(block, (BasicBlock, Bottleneck)) or block.se is not None:
                return None
            names = [name for name, _ in block.named_children() if name != "downsample"]
            chain += [leaf for name in names for leaf in _leaves(getattr(block, name))]
            if block.downsample is not None and any(_sees(leaf) > 2 for leaf in _leaves(block.downsample)):
                return None
    return chain


def _leaves(module: nn.Module | None) -> list[nn.Module]:
    if module is None:
        return []
    children = list(module.children())
    # timm's normalisations carry their activation as a child; they look at one place, whatever is inside.
    if isinstance(module, nn.Sequential):
        return [leaf for child in children for leaf in _leaves(child)]  # none where it is empty
    if not children or isinstance(module, POINTWISE):
        return [module]
    return [leaf for child in children for leaf in _leaves(child)]


def _sees(layer: nn.Module) -> int:
    return _number(getattr(layer, "kernel_size", 1))


def _number(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)
