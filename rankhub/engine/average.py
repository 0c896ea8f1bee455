"""One moving average of the weights, as a teacher or for evaluation."""

from __future__ import annotations

import copy

import torch

from rankhub.engine.network import Network


class WeightAverage:
    """A copy of the network whose weights follow it: ``w <- decay * w + (1 - decay) * network``.

    Args:
        network: The one to follow.
        teaches: Whether it runs on training batches. A teacher is in training mode and gathers its own batch
            statistics; otherwise the statistics are averaged as the weights are.
    """

    def __init__(self, network: Network, teaches: bool) -> None:
        self.network = copy.deepcopy(network)
        self.network.requires_grad_(False)
        self.teaches = teaches
        self.network.train(teaches)

    @torch.no_grad()
    def update(self, network: Network, decay: float) -> None:
        """Follow ``network`` by one step."""
        ours: list[torch.Tensor] = list(self.network.parameters())
        theirs: list[torch.Tensor] = [parameter.detach() for parameter in network.parameters()]
        torch._foreach_lerp_(ours, theirs, 1.0 - decay)
        if self.teaches:
            return
        for mine, other in zip(self.network.buffers(), network.buffers(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(other, 1.0 - decay)
            else:
                mine.copy_(other)
