"""Torch's own optimizers under the options of a recipe, and layer-wise adaptive rate scaling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.options import Ge, Gt, Lt, Scheduled
from rankhub.interfaces.schedule import Schedule

Beta = Annotated[float, Ge(0), Lt(1)]


class SGD(torch.optim.SGD, Optimizer):
    """Stochastic gradient descent with momentum, as torch does it: v = m v + g + d w; w = w - lr v.

    Args:
        lr: Learning rate.
        momentum: Share m of the last velocity that stays.
        weight_decay: Share d of a weight that is added to its gradient.
        nesterov: Look ahead by one step of the velocity (Sutskever et al., ICML 2013); needs momentum.
        decay_vectors: Whether biases and weights of normalization layers are decayed too.
    """

    def __init__(
        self,
        params: Iterable[Tensor | Mapping[str, Any]],
        /,
        *,
        lr: Annotated[Scheduled, Gt(0)],
        momentum: Annotated[Scheduled, Ge(0), Lt(1)] = 0.9,
        weight_decay: Annotated[Scheduled, Ge(0)] = 0.0,
        nesterov: bool = False,
        decay_vectors: bool = False,
    ) -> None:
        rate, inertia, decay = number(lr), number(momentum), number(weight_decay)
        if nesterov and inertia == 0:
            raise Objection("nesterov needs a momentum above 0; give one or leave nesterov out")
        groups = prepare(params, decay_vectors, lr=rate, momentum=inertia, weight_decay=decay)
        super().__init__(groups, lr=rate, momentum=inertia, weight_decay=decay, nesterov=nesterov)


class AdamW(torch.optim.AdamW, Optimizer):
    """Adam with decoupled weight decay (Loshchilov, Hutter, ICLR 2019), as torch does it.

    Args:
        lr: Learning rate.
        betas: Shares of the running means of the gradient and of its square that stay.
        eps: Added to the root of the mean square.
        weight_decay: A weight loses this share of itself, times the learning rate, at each step.
        decay_vectors: Whether biases and weights of normalization layers are decayed too.
    """

    def __init__(
        self,
        params: Iterable[Tensor | Mapping[str, Any]],
        /,
        *,
        lr: Annotated[Scheduled, Gt(0)] = 1e-3,
        betas: tuple[Beta, Beta] = (0.9, 0.999),
        eps: Annotated[float, Gt(0)] = 1e-8,
        weight_decay: Annotated[Scheduled, Ge(0)] = 0.01,
        decay_vectors: bool = False,
    ) -> None:
        rate, decay = number(lr), number(weight_decay)
        groups = prepare(params, decay_vectors, lr=rate, weight_decay=decay)
        super().__init__(groups, lr=rate, betas=betas, eps=eps, weight_decay=decay)


def number(option: float | Schedule) -> float:
    """An option that may change, as the number that the engine hands to a constructor.

    Raises:
        TypeError: It is still a schedule, so the optimizer was not built by the engine.
    """
    if isinstance(option, Schedule):
        raise TypeError("an optimizer takes the number that its schedule gives, not the schedule")
    return float(option)


def prepare(
    params: Iterable[Tensor | Mapping[str, Any]], decay_vectors: bool, **options: float
) -> list[dict[str, Any]]:
    """Groups with their own numbers: each option times the group's ``<option>_scale``, where it has one.

    Groups are as torch takes them; ``vector: True`` marks biases and norm weights, which get ``weight_decay_scale: 0``
    unless ``decay_vectors``.
    """
    listed = list(params)
    if listed and not isinstance(listed[0], Mapping):
        listed = [{"params": listed}]
    groups = []
    for given in listed:
        assert isinstance(given, Mapping)
        group = dict(given)
        if group.get("vector") and not decay_vectors:
            group["weight_decay_scale"] = 0.0
        group |= {name: value * float(group.get(f"{name}_scale", 1.0)) for name, value in options.items()}
        groups.append(group)
    return groups


class LARS(Optimizer):
    """Momentum with a learning rate a layer, for large batches (You, Gitman, Ginsburg, arXiv 1708.03888, algorithm 1).

    For each tensor w with gradient g, decay d and momentum m::

        rate = lr * trust * |w| / (|g| + d |w|)        (lr where |w| or |g| is 0)
        v = m v + rate (g + d w)
        w = w - v

    As in SimCLR and BYOL, biases and weights of normalization layers move with plain ``lr`` and without decay.

    Args:
        lr: Global learning rate.
        momentum: Share m of the last velocity that stays.
        weight_decay: Share d of a weight that is added to its gradient.
        trust: How far a layer trusts its gradient: the share of its norm by which a step moves it, at lr 1.
        decay_vectors: Whether biases and weights of normalization layers are decayed too.
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
