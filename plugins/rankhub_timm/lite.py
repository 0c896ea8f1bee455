"""Names of the tensors of EfficientNet-PyTorch, from which the converted weights of EfficientNet-Lite come."""

from __future__ import annotations

import re
from collections.abc import Mapping

from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn

OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
"""Layers before and after the blocks -> their names in timm."""

INNER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
"""Layers of a block -> their names in timm's InvertedResidual."""

PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Layers of a block without expansion -> their names in timm's DepthwiseSeparableConv."""

_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")
_MARK = "_blocks.0._depthwise_conv.weight"


def is_lite(stored: Mapping[str, Tensor]) -> bool:
    """Whether tensors have the names of EfficientNet-PyTorch, perhaps behind a wrapper's prefix."""
    return any(name.endswith(_MARK) for name in stored)


def in_timms_names(stored: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Tensors with the names of EfficientNet-PyTorch under those of timm; any others as they are.

    There all blocks are numbered through, here by stage and position in the stage. A stage begins with each block that
    gives another number of channels than the one before it, which holds for every EfficientNet.
    """
    if _MARK not in stored:
        return stored
    positions = _positions(stored)
    renamed = {}
    for name, value in stored.items():
        layer, _, rest = name.partition(".")
        found = _BLOCK.fullmatch(name)
        if found is not None and int(found[1]) in positions:
            number, layer, rest = int(found[1]), found[2], found[3]
            names = INNER if f"_blocks.{number}._expand_conv.weight" in stored else PLAIN
            if layer in names:
                name = f"blocks.{positions[number]}.{names[layer]}.{rest}"
        elif layer in OUTER:
            name = f"{OUTER[layer]}.{rest}"
        renamed[name] = value
    return renamed


def _positions(stored: Mapping[str, Tensor]) -> dict[int, str]:
    """Number of a block -> ``STAGE.POSITION``."""
    positions: dict[int, str] = {}
    stage, position, before = -1, 0, None
    while (last := stored.get(f"_blocks.{len(positions)}._project_conv.weight")) is not None:
        channels = last.shape[:1]
        stage, position = (stage, position + 1) if channels == before else (stage + 1, 0)
        positions[len(positions)] = f"{stage}.{position}"
        before = channels
    return positions


def pads_as_tensorflow(network: nn.Module) -> bool:
    """Whether the network pads as the one that those weights were trained in: more at the end than at the start."""
    return isinstance(getattr(network, "conv_stem", None), Conv2dSame)
