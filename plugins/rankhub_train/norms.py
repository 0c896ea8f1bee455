"""Layers by which a view's output depends on the other views of its batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from rankhub import freeze, train_mode

if TYPE_CHECKING:
    from rankhub import Network


def batch_statistics(network: nn.Module) -> Iterator[Any]:
    """The layers that, in the mode they are in, normalize a view by statistics of all views of its (micro-)batch."""
    for module in network.modules():
        kept = dict(module.named_buffers(recurse=False)).get("running_var")
        if isinstance(module, _BatchNorm):
            mixes = module.training or kept is None
        else:  # other makes of it, such as EvoNorm-B
            mixes = module.training and kept is not None and not isinstance(module, _InstanceNorm)
        if mixes:
            yield module


def has_batch_statistics(network: Network, frozen: Sequence[str] = ()) -> bool:
    """Whether in training a view's output depends on the other views of its (micro-)batch.

    The network is left as a phase begins in which the ``frozen`` patterns do not train; see :func:`freeze`.
    """
    freeze(network, frozen)
    train_mode(network)
    return any(True for _ in batch_statistics(network))
