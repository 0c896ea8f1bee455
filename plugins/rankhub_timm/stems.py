"""The stem for small images."""

from __future__ import annotations

from torch import nn

from rankhub.interfaces.errors import Objection


def make_small(model: nn.Module, name: str) -> int:
    """Turn a residual network's stem into one for small images: first convolution of stride 1, no pooling.

    A plain 7x7 convolution becomes 3x3 (as the CIFAR variant of SimCLR, Chen et al. 2020, appendix B.9); a deep stem
    keeps its 3x3 convolutions. Feature maps are then 4 times as large in each direction.

    Returns:
        By how much the stride of the feature maps falls.

    Raises:
        Objection: The network has no such stem.
    """
    first, pool = getattr(model, "conv1", None), getattr(model, "maxpool", None)
    entry = first[0] if isinstance(first, nn.Sequential) and len(first) else first
    if not isinstance(entry, nn.Conv2d) or entry.stride != (2, 2) or not isinstance(pool, nn.MaxPool2d):
        raise Objection(f"stem: small is known for residual networks only, {name} has another stem; use stem: standard")
    bias, device = entry.bias is not None, entry.weight.device
    small = nn.Conv2d(entry.in_channels, entry.out_channels, 3, stride=1, padding=1, bias=bias, device=device)
    if not entry.weight.is_meta:
        nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
    if isinstance(first, nn.Sequential):
        first[0] = small
    else:
        model.conv1 = small
    model.maxpool = nn.Identity()
    return 4
