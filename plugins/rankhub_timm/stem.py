"""Changes to a network of timm: a stem for small images, an earlier end, normalization layers that stand still."""

from __future__ import annotations

from typing import Any

from timm.models.resnet import ResNet
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from rankhub.interfaces.errors import Objection


def shrink_stem(network: nn.Module, model: str, *, keep_pool: bool = False) -> None:
    """Let a ResNet see small images at full resolution: first convolution 3x3 with stride 1, no max-pooling.

    As He et al. and SimCLR do for CIFAR (32 px). A stem of several 3x3 convolutions keeps them and loses its stride.
    With the max-pooling kept, at half the resolution: as the authors of W-MSE do for STL-10 at 64 px.

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


def cut_at(network: Any, model: str, stride: int) -> tuple[int, tuple[str, ...]]:
    """Take away what comes after the last layer of a stride; its number, and the names of the modules that are gone.

    The network changes in place; a file may still hold weights of what is gone. Objects where there is no such layer,
    or timm cannot cut it.
    """
    info = getattr(network, "feature_info", None)
    strides = [int(layer["reduction"]) for layer in info] if isinstance(info, list) else []
    if not strides or not hasattr(network, "prune_intermediate_layers"):
        raise Objection(f"timm cannot cut {model}, so it has no `stride` but its own; leave `stride` out")
    if stride not in strides:
        known = ", ".join(str(one) for one in sorted(set(strides)))
        raise Objection(f"{model} has no layer of stride {stride}; it has {known}")
    layer = len(strides) - 1 - strides[::-1].index(stride)
    before = set(network.state_dict())
    network.prune_intermediate_layers([layer])
    gone = before - set(network.state_dict())
    return layer, tuple(sorted({name.rpartition(".")[0] for name in gone}))


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
    """Put those layers into evaluation: they normalize with the statistics they have. Scale and shift still learn.

    Call it after each ``network.train()``. What stands inside such a layer, such as the DropBlock of BatchNormAct2d,
    keeps its mode.
    """
    for layer in norms_of(network):
        layer.training = False
