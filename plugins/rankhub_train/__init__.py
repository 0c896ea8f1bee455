"""Official plugin: recipes are checked and trained from the command line."""

import rankhub
from rankhub import Verb


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [
        Verb("run", "rankhub_train.run:run", "Train a recipe, or go on with a run."),
        Verb("validate", "rankhub_train.validate:validate", "Check a recipe without running it."),
    ]
