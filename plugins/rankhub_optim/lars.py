"""Layer-wise adaptive rate scaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch

from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.options import Ge, Gt, Lt, Scheduled
from rankhub_optim.groups import Groups, without_vector_decay


class LARS(Optimizer):
    """Layer-wise adaptive rate scaling (You, Gitman, Ginsburg 2017, arXiv 1708.03888, algorithm 1).

    For each weight w with gradient g, decay b and momentum buffer v::

        d = g + b w
        t = trust |w| / (|g| + b |w| + eps)       1 where |w| or |g| is 0, and for vectors
        v = m v + t lr d
        w = w - v

    Biases and the weights of normalisation layers take the plain rate (t = 1) and, unless ``decay_vectors``, do not
    decay, as SimCLR and its peers train.

    Args:
        lr: Learning rate; a top-level ``schedule`` is a factor on it.
        momentum: Momentum.
        weight_decay: L2 penalty, added to the gradient.
        trust: Trust coefficient.
        eps: Added to the denominator of the trust ratio.
        decay_vectors: Whether biases and the weights of normalisation layers decay too.
    """

    def __init__(
        self,
        params: Groups,
        /,
        *,
        lr: Annotated[Scheduled, Gt(0)],
        momentum: Annotated[Scheduled, Ge(0), Lt(1)] = 0.9,
        weight_decay: Annotated[Scheduled, Ge(0)] = 0.0,
        trust: Annotated[float, Gt(0)] = 0.001,
        eps: Annotated[float, Ge(0)] = 1e-8,
        decay_vectors: bool = False,
    ) -> None:
        groups = without_vector_decay(params, decay_vectors)
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust": trust, "eps": eps}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; ``closure`` may compute loss and gradient first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, weight: torch.Tensor, group: dict[str, Any]) -> None:
        gradient, decay = weight.grad, group["weight_decay"]
        assert gradient is not None
        direction = gradient.add(weight, alpha=decay) if decay else gradient
        ratio: torch.Tensor | float = 1.0
        if not group.get("vector", False):
            size, slope = torch.linalg.vector_norm(weight), torch.linalg.vector_norm(gradient)
            scaled = group["trust"] * size / (slope + decay * size + group["eps"])
            ratio = torch.where((size > 0) & (slope > 0), scaled, torch.ones_like(scaled))
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(direction * ratio, alpha=group["lr"])
        weight.sub_(buffer)
