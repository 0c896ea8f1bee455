"""Feature maps of networks that lay them out in different ways."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from rankhub.interfaces.model import FeatureSpec
from rankhub_timm.sight import receptive_field


def as_map(network: Any, features: Any, height: int, width: int) -> Tensor | None:
    """The last features of a timm network as [n, C, h, w]; None where they have no place in the image.

    Args:
        network: What gave them.
        features: Of ``network.forward_features``: [n, C, h, w], [n, h, w, C], tokens [n, L, C], or something else.
        height: Of the images.
        width: Of the images.
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
    """Pooled features [n, D] of a stack of images, and their map [n, C, h, w] if it is asked for and there is one.

    Args:
        network: Of timm, without a classifier.
        images: [n, 3, H, W], normalised.
        cut: The layer after which the network ends; None = the whole network.
        maps: Whether the map is wanted.
    """
    if cut is not None:
        (found,) = network.forward_intermediates(images, indices=[cut], stop_early=True, intermediates_only=True)
        return found.mean(dim=(2, 3)), found
    features = network.forward_features(images)
    pooled = network.forward_head(features, pre_logits=True).flatten(1)
    return pooled, as_map(network, features, images.shape[-2], images.shape[-1]) if maps else None


@torch.no_grad()
def feature_spec(network: Any, cut: int | None = None) -> FeatureSpec:
    """What a timm network gives, found by passing an empty image through a copy on torch's ``meta`` device.

    Args:
        network: Without a classifier.
        cut: The layer after which it ends; None = the whole network.
    """
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
