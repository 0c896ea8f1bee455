"""The network of a recipe: one backbone, named heads, and the losses' own parameters."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rankhub.engine import checkpoint
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.model import Backbone, Features, Head
from rankhub.recipe.schema import StartFrom, matching

Outputs = dict[str, Tensor]
"""``HEAD.OUTPUT``, or ``backbone`` for the pooled features -> [N, ...]."""

LossKey = tuple[str, str]
"""Stream, and label of the objective."""


class _Named(nn.ModuleDict):
    """Modules under names that a recipe chose, which may be those of a module's own methods (``train``, ``type``)."""

    def __setitem__(self, key: str, module: nn.Module) -> None:
        self._modules[key] = module


class Network(nn.Module):
    """Backbone, heads and losses under the names that a recipe's patterns address.

    The losses are those of all phases; what they have of parameters or buffers is part of the state.
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
        """Each view, in one float stack a size, through the backbone once, then through the heads that are wanted.

        Returns:
            The outputs of these heads and ``backbone``, rows in the order of the stacks.
        """
        wanted = list(heads)
        maps = any(bool(self.heads[name].needs_maps) for name in wanted)
        stacks: list[Features] = [self.backbone(stack, maps=maps) for stack in images]
        pooled = stacks[0].pooled if len(stacks) == 1 else torch.cat([stack.pooled for stack in stacks])
        all_maps = [feature_map for stack in stacks for feature_map in stack.maps or ()] if maps else None
        features = Features(pooled, all_maps)
        outputs: Outputs = {"backbone": pooled}
        for head in wanted:
            outputs |= {f"{head}.{name}": value for name, value in self.heads[head](features).items()}
        return outputs


def freeze(network: Network, patterns: Sequence[str]) -> None:
    """Freeze the parameters that match, train all others. A part that is frozen whole keeps batch statistics too."""
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


def load_weights(network: nn.Module, weights: Any, folder: object) -> None:
    """Load a state dict from ``folder``; a UserError if some name or shape does not fit."""
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"the weights in {folder} do not fit this recipe's network: {first}") from error


def take_over(network: Network, start: StartFrom) -> None:
    """Begin with weights of another run: those that match its patterns; a UserError if they do not fit."""
    weights, file = checkpoint.read_weights(Path(start.run).expanduser(), average=start.average)
    own = network.state_dict()
    for pattern in start.parts:
        ours, theirs = set(matching(own, pattern)), set(matching(weights, pattern))
        if not ours or not theirs:
            where = "this recipe's network" if not ours else str(file)
            raise UserError(f"start_from.parts: {pattern!r} matches no weight of {where}")
        differ = sorted(
            n for n in ours | theirs if n not in own or n not in weights or own[n].shape != weights[n].shape
        )
        if differ:
            raise UserError(
                f"start_from: {len(differ)} weights of {pattern!r} in {file} do not fit this recipe's network, first "
                f"{differ[0]}; build the same network, or leave that part out of start_from.parts"
            )
        own.update({name: weights[name] for name in ours})
    network.load_state_dict(own)


def reset(network: Network, fresh: Network, patterns: list[str]) -> None:
    """Start the matching parameters and buffers afresh, with the values of a newly built network."""
    new = fresh.state_dict()
    names = {name for pattern in patterns for name in matching(new, pattern)}
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name in names:
                value.copy_(new[name])
