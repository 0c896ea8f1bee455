"""Layer-wise adaptive rate scaling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.options import Ge, Gt, Lt, Scheduled
from rankhub_optim.groups import number, prepare


class LARS(Optimizer):
    """Momentum with a learning rate a layer, for large batches (You, Gitman, Ginsburg, arXiv 1708.03888, algorithm 1).

    For each tensor w with gradient g, decay d and momentum m::

        rate = lr * trust * |w| / (|g| + d |w|)        (lr where |w| or |g| is 0)
        v = m v + rate (g + d w)
        w = w - v

    As in SimCLR and BYOL, biases and weights of normalisation layers move with plain ``lr`` and without decay.

    Args:
        lr: Global learning rate.
        momentum: Share m of the last velocity that stays.
        weight_decay: Share d of a weight that is added to its gradient.
        trust: How far a layer trusts its gradient: the share of its norm by which a step moves it, at lr 1.
        decay_vectors: Whether biases and weights of normalisation layers are decayed too.
        adapt_vectors: Whether they get a rate of their own too.
    """

    def __init__(
        self,
        params: Iterable[Tensor | Mapping[str, Any]],
        /,
        *,
        lr: Annotated[Scheduled, Gt(0)],
        momentum: Annotated[Scheduled, Ge(0), Lt(1)] = 0.9,
        weight_decay: Annotated[Scheduled, Ge(0)] = 1e-6,
        trust: Annotated[float, Gt(0)] = 1e-3,
        decay_vectors: bool = False,
        adapt_vectors: bool = False,
    ) -> None:
        numbers = {"lr": number(lr), "momentum": number(momentum), "weight_decay": number(weight_decay)}
        defaults = {**numbers, "trust": trust, "adapt_vectors": adapt_vectors}
        super().__init__(prepare(params, decay_vectors, **numbers), defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step. ``closure``, if given, computes the loss again; its value is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            adapts = group["adapt_vectors"] or not group.get("vector")
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, weight.grad, group, adapts)
        return loss

    def _move(self, weight: Tensor, gradient: Tensor, group: Mapping[str, Any], adapts: bool) -> None:
        decay = group["weight_decay"]
        step = gradient.add(weight, alpha=decay) if decay else gradient.clone()
        if adapts:
            # Left on the device: reading the norms would make the processor wait for it at every tensor.
            long, steep = torch.linalg.vector_norm(weight), torch.linalg.vector_norm(gradient)
            ratio = group["trust"] * long / (steep + decay * long)
            step.mul_(torch.where((long > 0) & (steep > 0), ratio, torch.ones_like(ratio)))
        step.mul_(group["lr"])
        state = self.state[weight]
        if "momentum_buffer" in state:
            state["momentum_buffer"].mul_(group["momentum"]).add_(step)
        else:
            state["momentum_buffer"] = step
        weight.sub_(state["momentum_buffer"])
