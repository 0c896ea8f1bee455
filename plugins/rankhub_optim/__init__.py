"""Official plugin: optimisers and schedules."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component("optimizer", "sgd", "rankhub_optim.optimizers:SGD", "Stochastic gradient descent with momentum."),
        Component("optimizer", "adamw", "rankhub_optim.optimizers:AdamW", "Adam with decoupled weight decay."),
        Component("optimizer", "lars", "rankhub_optim.lars:LARS", "Layer-wise adaptive rates, for large batches."),
        Component("schedule", "cosine", "rankhub_optim.schedules:Cosine", "Half a cosine, after a linear warm-up."),
        Component("schedule", "step", "rankhub_optim.schedules:Step", "Times a factor at given epochs."),
        Component("schedule", "constant", "rankhub_optim.schedules:Constant", "One value, after a linear warm-up."),
    ]
