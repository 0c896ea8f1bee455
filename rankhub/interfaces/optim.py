"""Optimizers."""

import torch


class Optimizer(torch.optim.Optimizer):
    """A torch optimizer whose first positional-only constructor parameter is ``params``.

    ``params`` is a list of groups as torch takes them. A group with ``vector: True`` holds biases and the
    weights of normalization layers; weight decay usually leaves those out, which an optimizer states by
    setting ``group["weight_decay_scale"] = 0.0``. ``group["lr_scale"]`` holds a phase's factor.

    Keyword-only options annotated :data:`~rankhub.interfaces.options.Scheduled` reach the constructor as
    numbers. Before each step the engine sets ``group[option] = number * group.get(option + "_scale", 1)``,
    and for ``lr`` also times the recipe's top-level schedule.
    """
