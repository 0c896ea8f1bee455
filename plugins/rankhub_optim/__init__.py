"""Optimizers, and schedules for numbers that change in training."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """Three optimizers and three schedules."""
    return [
        Component("optimizer", "sgd", "rankhub_optim.optimizers:SGD", "Stochastic gradient descent with momentum."),
        Component("optimizer", "adamw", "rankhub_optim.optimizers:AdamW", "Adam with decoupled weight decay."),
        Component("optimizer", "lars", "rankhub_optim.optimizers:LARS", "Momentum with a learning rate a layer."),
        Component("schedule", "cosine", "rankhub_optim.schedules:Cosine", "Half a cosine from one number to another."),
        Component("schedule", "step", "rankhub_optim.schedules:StepDecay", "A number that falls at given epochs."),
        Component("schedule", "constant", "rankhub_optim.schedules:Constant", "The same number, after a warm-up."),
    ]
