"""torch's own optimisers with the options that a recipe states."""

from __future__ import annotations

from typing import Annotated

import torch

from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.options import Ge, Gt, Lt, Scheduled
from rankhub_optim.groups import Groups, without_vector_decay

Beta = Annotated[float, Ge(0), Lt(1)]


class SGD(torch.optim.SGD, Optimizer):
    """Stochastic gradient descent with momentum, as ``torch.optim.SGD``.

    Args:
        lr: Learning rate; a top-level ``schedule`` is a factor on it.
        momentum: Momentum.
        nesterov: Nesterov's form of it; needs a momentum above 0.
        weight_decay: L2 penalty, added to the gradient.
        decay_vectors: Whether biases and the weights of normalisation layers decay too.
    """

    def __init__(
        self,
        params: Groups,
        /,
        *,
        lr: Annotated[Scheduled, Gt(0)],
        momentum: Annotated[Scheduled, Ge(0), Lt(1)] = 0.9,
        nesterov: bool = False,
        weight_decay: Annotated[Scheduled, Ge(0)] = 0.0,
        decay_vectors: bool = False,
    ) -> None:
        groups = without_vector_decay(params, decay_vectors)
        super().__init__(groups, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay)


class AdamW(torch.optim.AdamW, Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019), as ``torch.optim.AdamW``.

    Args:
        lr: Learning rate; a top-level ``schedule`` is a factor on it.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the root of the second mean.
        weight_decay: Share of a weight that decays at each step, times the learning rate.
        decay_vectors: Whether biases and the weights of normalisation layers decay too.
    """

    def __init__(
        self,
        params: Groups,
        /,
        *,
        lr: Annotated[Scheduled, Gt(0)],
        betas: tuple[Beta, Beta] = (0.9, 0.999),
        eps: Annotated[float, Gt(0)] = 1e-8,
        weight_decay: Annotated[Scheduled, Ge(0)] = 0.0,
        decay_vectors: bool = False,
    ) -> None:
        groups = without_vector_decay(params, decay_vectors)
        super().__init__(groups, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
