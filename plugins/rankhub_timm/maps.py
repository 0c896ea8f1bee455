"""Feature maps of networks that lay them out in different ways."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from rankhub.interfaces.model import FeatureSpec


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


@torch.no_grad()
def feature_spec(network: Any) -> FeatureSpec:
    """What a timm network gives, found by passing an empty image through a copy on torch's ``meta`` device."""
    twin = copy.deepcopy(network).to("meta").eval()
    height, width = getattr(getattr(twin, "patch_embed", None), "img_size", None) or twin.default_cfg["input_size"][-2:]
    features = twin.forward_features(torch.empty((1, 3, height, width), device="meta"))
    pooled = twin.forward_head(features, pre_logits=True).flatten(1)
    found = as_map(twin, features, height, width)
    if found is None:
        return FeatureSpec(pooled.shape[1])
    return FeatureSpec(pooled.shape[1], found.shape[1], _stride(twin, height, found.shape[2]))


def _stride(network: Any, height: int, cells: int) -> int:
    """Pixels to a cell. The image may not be a whole number of them, so timm's own figure is taken if it can be."""
    info = getattr(network, "feature_info", None)
    stated = int(info[-1]["reduction"]) if isinstance(info, list) and info else 0
    return stated if stated and abs(height / stated - cells) < 2 else round(height / cells)
