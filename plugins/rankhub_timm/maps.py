"""Feature maps of networks that lay them out in different ways, and how far a cell of them sees."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.vgg import VGG
from torch import Tensor, nn

from rankhub.interfaces.model import FeatureSpec


def as_map(network: Any, features: Any, height: int, width: int) -> Tensor | None:
    """The last features of a timm network as [n, C, h, w]; None where they have no place in the image.

    ``features``, of ``network.forward_features``, are [n, C, h, w], [n, h, w, C], tokens [n, L, C] or something else.
    """
    if not isinstance(features, Tensor):
        return None
    if features.ndim == 4:
        channels_last = str(getattr(network, "output_fmt", "NCHW")).endswith("NHWC")
        return features.permute(0, 3, 1, 2) if channels_last else features
    patches: Any = getattr(network, "patch_embed", None)
    if features.ndim != 3 or not hasattr(patches, "dynamic_feat_size"):
        return None
    tokens = features[:, getattr(network, "num_prefix_tokens", 0) :]
    rows, columns = patches.dynamic_feat_size((height, width))
    if tokens.shape[1] != rows * columns:
        return None
    return tokens.transpose(1, 2).reshape(len(tokens), -1, rows, columns)


def pass_through(network: Any, images: Tensor, cut: int | None, maps: bool) -> tuple[Tensor, Tensor | None]:
    """Pooled features [n, D] of images, and their map [n, C, h, w] if it is asked for and there is one.

    ``cut``: the layer after which the network ends; None = the whole network.
    """
    if cut is not None:
        (found,) = network.forward_intermediates(images, indices=[cut], stop_early=True, intermediates_only=True)
        return found.mean(dim=(2, 3)), found
    features = network.forward_features(images)
    pooled = network.forward_head(features, pre_logits=True).flatten(1)
    return pooled, as_map(network, features, images.shape[-2], images.shape[-1]) if maps else None


@torch.no_grad()
def feature_spec(network: Any, cut: int | None = None) -> FeatureSpec:
    """What a timm network gives, found by passing an empty image through a copy on torch's ``meta`` device."""
    twin = copy.deepcopy(network).to("meta").eval()
    height, width = getattr(getattr(twin, "patch_embed", None), "img_size", None) or twin.default_cfg["input_size"][-2:]
    pooled, found = pass_through(twin, torch.empty((1, 3, height, width), device="meta"), cut, maps=True)
    if found is None:
        return FeatureSpec(pooled.shape[1])
    stride = _stride(twin, height, found.shape[2], -1 if cut is None else cut)
    return FeatureSpec(pooled.shape[1], found.shape[1], stride, receptive_field(network, cut))


def _stride(twin: Any, height: int, cells: int, layer: int) -> int:
    """Pixels to a cell. The image may not be a whole number of them, so timm's own figure is taken if it can be."""
    info = getattr(twin, "feature_info", None)
    stated = int(info[layer]["reduction"]) if isinstance(info, list) and info else 0
    return stated if stated and abs(height / stated - cells) < 2 else round(height / cells)


POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout, nn.SiLU, nn.LeakyReLU, nn.ELU)
"""Layers that look at one place at a time, once they are in evaluation mode."""


def receptive_field(network: Any, cut: int | None = None) -> int:
    """Side in pixels of what a cell of the last map sees; 0 where it is not known, or the whole image.

    Known for timm's VGG and ResNet with batch normalization, of plain convolutions and poolings: each layer of kernel k
    adds (k - 1) x dilation x the stride before it. A block's shortcut sees less than its convolutions.
    """
    if type(network) is VGG:
        last = None if cut is None else int(str(network.feature_info[cut]["module"]).rpartition(".")[2]) + 1
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
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        for block in network.get_submodule(stage).children():  # none where the stage was cut off
            if not isinstance(block, (BasicBlock, Bottleneck)) or block.se is not None:
                return None
            names = [name for name, _ in block.named_children() if name != "downsample"]
            chain += [leaf for name in names for leaf in _leaves(getattr(block, name))]
            kernels = [_number(getattr(leaf, "kernel_size", 1)) for leaf in _leaves(block.downsample)]
            if any(kernel > 2 for kernel in kernels):
                return None
    return chain


def _leaves(module: nn.Module | None) -> list[nn.Module]:
    if module is None:
        return []
    children = list(module.children())
    # timm's normalizations carry their activation as a child; they look at one place, whatever is inside.
    if isinstance(module, nn.Sequential):
        return [leaf for child in children for leaf in _leaves(child)]  # none where it is empty
    if not children or isinstance(module, POINTWISE):
        return [module]
    return [leaf for child in children for leaf in _leaves(child)]


def _number(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)
