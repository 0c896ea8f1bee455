"""Official plugin: what one does with a trained network."""

import rankhub
from rankhub import Verb
from rankhub.interfaces.kinds import Kind


@rankhub.hookimpl
def rankhub_kinds() -> list[Kind]:
    """The kind of component that others can bring to this plugin."""
    return [Kind("image_source", "Where images that are no files come from.", "rankhub_use.places:ImageSource")]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [
        Verb("audit", "rankhub_use.verbs:audit", "Test without labels whether a scorer keeps known orders."),
        Verb("embed", "rankhub_use.verbs:embed", "Write the feature vectors of images."),
        Verb("evaluate", "rankhub_use.verbs:evaluate", "Measure a trained network again, perhaps on other data."),
        Verb("predict", "rankhub_use.verbs:predict", "Score images with a trained network."),
    ]
