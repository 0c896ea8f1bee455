"""Torch's own optimisers under the options of a recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import torch
from torch import Tensor

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.options import Ge, Gt, Lt, Scheduled
from rankhub_optim.groups import number, prepare

Beta = Annotated[float, Ge(0), Lt(1)]


class SGD(torch.optim.SGD, Optimizer):
    """Stochastic gradient descent with momentum, as torch does it: v = m v + g + d w; w = w - lr v.

    Args:
        lr: Learning rate.
        momentum: Share m of the last velocity that stays.
        weight_decay: Share d of a weight that is added to its gradient.
        nesterov: Look ahead by one step of the velocity (Sutskever et al., ICML 2013); needs momentum.
        decay_vectors: Whether biases and weights of normalisation layers are decayed too.
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
        decay_vectors: Whether biases and weights of normalisation layers are decayed too.
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
