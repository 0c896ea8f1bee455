"""The network of a recipe: one backbone, named heads, and the losses' own parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Features, Head
from rankhub.recipe.schema import matching

Outputs = dict[str, Mapping[str, Tensor]]
LossKey = tuple[str, str]
"""Stream, and label of the objective."""


class _Named(nn.ModuleDict):
    """Modules under names that a recipe chose, which may be those of a module's own methods (``train``, ``type``)."""

    def __setitem__(self, key: str, module: nn.Module) -> None:
        self._modules[key] = module


class Network(nn.Module):
    """Backbone, heads and losses under the names that a recipe's patterns address.

    Args:
        backbone: Images to features.
        heads: By name.
        losses: By stream and label, for all phases; those with parameters or buffers are part of the state.
    """

    def __init__(self, backbone: Backbone, heads: Mapping[str, Head], losses: Mapping[LossKey, Loss]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = _Named(heads)
        by_stream: dict[str, dict[str, Loss]] = {}
        for (stream, label), loss in losses.items():
            by_stream.setdefault(stream, {})[label] = loss
        self.losses = _Named({stream: _Named(by_label) for stream, by_label in by_stream.items()})

    def forward(self, images: Sequence[Tensor], heads: Iterable[str]) -> Outputs:
        """Each view through the backbone once, then through the heads.

        Args:
            images: One float stack a size.
            heads: The heads that are wanted.

        Returns:
            Head -> output -> [N, ...], rows in the order of the stacks; ``backbone`` -> ``pooled`` is always there.
        """
        wanted = list(heads)
        maps = any(bool(self.heads[name].needs_maps) for name in wanted)
        stacks: list[Features] = [self.backbone(stack, maps=maps) for stack in images]
        pooled = stacks[0].pooled if len(stacks) == 1 else torch.cat([stack.pooled for stack in stacks])
        all_maps = [feature_map for stack in stacks for feature_map in stack.maps or ()] if maps else None
        features = Features(pooled, all_maps)
        outputs: Outputs = {"backbone": {"pooled": pooled}}
        for name in wanted:
            outputs[name] = self.heads[name](features)
        return outputs


def freeze(network: Network, patterns: Sequence[str]) -> None:
    """Let every parameter train but those that match. A part that is frozen whole keeps its batch statistics too."""
    names = [name for name, _ in network.named_parameters()]
    frozen = {name for pattern in patterns for name in matching(names, pattern)}
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in frozen)


def train_mode(network: Network) -> None:
    """Training mode, but for modules all of whose parameters are frozen."""
    network.train()
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def batch_statistics(network: nn.Module) -> Iterator[Any]:
    """The layers that, in the mode they are in, normalise a view by statistics of all views of its (micro-)batch."""
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

    Args:
        network: Is left as the beginning of such a phase leaves it.
        frozen: Patterns of the parameters that do not train; see :func:`freeze`.
    """
    freeze(network, frozen)
    train_mode(network)
    return any(True for _ in batch_statistics(network))
