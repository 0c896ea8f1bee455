"""Official plugin: tells Weights & Biases of the runs whose recipe asks for it."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [Component("callback", "wandb", "rankhub_wandb.tracker:Wandb", "Tells Weights & Biases.")]
