"""Official plugin: what a trained network is used for, from the command line."""

import rankhub
from rankhub import Verb


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [Verb("predict", "rankhub_use.predict:predict", "Score the images of a folder with a trained network.")]
