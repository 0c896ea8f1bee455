"""The first layers of a network, fitted to small images."""

from __future__ import annotations

from timm.models.resnet import ResNet
from torch import nn

from rankhub.interfaces.errors import Objection


def shrink_stem(network: nn.Module, model: str, *, keep_pool: bool = False) -> None:
    """Let a ResNet see small images at full resolution: first convolution 3x3 with stride 1, no max-pooling.

    As He et al. and SimCLR do for CIFAR (32 px). A stem of several 3x3 convolutions keeps them and loses its stride.
    With the max-pooling kept, at half the resolution: as the authors of W-MSE do for STL-10 at 64 px.

    Args:
        network: Changed in place.
        model: Its name, for the message.
        keep_pool: Keep the max-pooling.

    Raises:
        Objection: It is not known how to do that for this family of networks.
    """
    if not isinstance(network, ResNet):
        raise Objection(
            f"a small stem is known for timm's ResNet family only (resnet18, resnet10t, seresnet18, test_resnet, ...), "
            f"and {model} is a {type(network).__name__}; use stem: standard"
        )
    if isinstance(network.conv1, nn.Sequential):
        for layer in network.conv1:
            if isinstance(layer, nn.Conv2d):
                layer.stride = (1, 1)
    else:
        old = network.conv1
        network.conv1 = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1, bias=old.bias is not None)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    if not keep_pool:
        network.maxpool = nn.Sequential()  # passes on what it gets
